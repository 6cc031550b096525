"""A replay's fleet over time, as a policy sees it and as it moves it."""

import math
from dataclasses import dataclass, field

import pytest

from serve_app.core.autoscaling import Decision
from serve_app.sim.scaling.fleet import Rates, Seen
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

RATES = Rates(20_000.0, ((1, 0.05),), 100_000, 4, 2048)


@dataclass
class Watches:
    """Wants what there is, and remembers what it saw."""

    seen: list[tuple[float, Seen]] = field(default_factory=list)

    def decide(self, seen: Seen, *, now: float) -> Decision:
        self.seen.append((now, seen))
        return Decision(seen.ordered, "same", "")


@pytest.mark.parametrize("load_s", [20.0, 20.3, 20.7])
def test_the_first_replica_comes_for_who_waits_and_speaks_after_its_first_beat(load_s) -> None:
    watches = Watches()
    arrivals = [Arrival(float(k), "t", 10, 40, 40) for k in range(30)]
    play(arrivals, watches, Setup(RATES, load_s, least=0, initial=0))

    replicas = [(now, seen.load.replicas[0]) for now, seen in watches.seen if seen.ready]
    spoken = [(now, replica) for now, replica in replicas if replica.reported_at > -math.inf]
    assert load_s <= replicas[0][0] < load_s + 2.0
    assert spoken[0][0] < load_s + 3.0
    assert spoken[0][1].running == 4  # never that it is idle while many wait
