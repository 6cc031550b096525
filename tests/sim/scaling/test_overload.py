"""A fleet that is too small, with the gateway's routing."""

import pytest

from serve_app.config import GatewayTunables
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.measures import measures
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

RATES = Rates(200_000.0, ((1, 0.01), (2, 0.0105)), 1_000_000, 256, 8192)
REPLICAS = 4
FULL_PER_S = 20 / 0.02 / 200  # answers of 200 tokens, of twenty that share a replica


def in_time(load: float, target_late: float) -> float:
    """Of so many times what the fleet carries, for five minutes; each tenth request comes with
    the nine before it."""
    per_s = load * REPLICAS * FULL_PER_S
    arrivals = [Arrival(k // 10 * 10 / per_s, "t", 100, 200, 200) for k in range(int(300 * per_s))]
    gateway = GatewayTunables.model_validate({"slots": {"target_late": target_late}})
    setup = Setup(RATES, 0.0, most=REPLICAS, initial=REPLICAS, gateway=gateway)
    return measures(play(arrivals, Static(REPLICAS), setup)).attainment


@pytest.mark.parametrize(("load", "spared"), [(1.15, 0.4), (1.2, 0.3)])
def test_who_is_spared_stays_in_time_where_all_would_be_late(load: float, spared: float) -> None:
    """Of four replicas three are, then two: one that is full to its slots does twice as much."""
    assert in_time(load, 0.0) < 0.1
    assert in_time(load, 0.05) > spared


def test_a_fleet_that_is_large_enough_does_as_well_as_before() -> None:
    assert in_time(0.7, 0.05) >= in_time(0.7, 0.0) - 0.005 > 0.98
