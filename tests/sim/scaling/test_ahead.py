"""A schedule of replicas that take a while to load."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.sim.scaling.ahead import Scheduled, loading_s, ordered, ready, replica_s
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival
from tests.sim.scaling.made import seen

UP = [(0.0, 2), (60.0, 3)]
GAP = [(0.0, 3), (60.0, 2), (120.0, 3)]
TWICE = [(0.0, 1), (60.0, 2), (120.0, 4)]
RATES = Rates(1000.0, ((1, 0.02), (2, 0.021)), 10_000, 8, 2048)

schedules = st.lists(st.integers(1, 9), min_size=1, max_size=12).map(
    lambda counts: [(20.0 * place, n) for place, n in enumerate(counts)]
)


@pytest.mark.parametrize(
    ("due", "load_s", "what", "why"),
    [
        (UP, 0.0, UP, "what loads in no time is ordered when it is due"),
        (UP, 20.0, [(0.0, 2), (40.0, 3)], "ahead"),
        (UP, 60.0, [(0.0, 3)], "before the trace begins"),
        (GAP, 59.0, [(0.0, 3), (60.0, 2), (61.0, 3)], "sent away, and ordered again"),
        (GAP, 60.0, [(0.0, 3)], "kept, since a new one costs no less"),
        (TWICE, 90.0, [(0.0, 2), (30.0, 4)], "two steps at once on their way"),
    ],
)
def test_replicas_are_ordered_ahead(due, load_s, what, why):
    assert ordered(due, load_s) == what, why


def test_who_is_kept_serves():
    assert ready(GAP, 59.0) == GAP
    assert ready(GAP, 60.0) == [(0.0, 3)]
    assert ready(UP, 60.0) == [(0.0, 3)]


@given(schedules, st.floats(0, 200), st.floats(1, 300))
def test_as_many_serve_as_are_due_and_no_more_than_are_paid_for(due, load_s, until_s):
    serving, paid = ready(due, load_s), ordered(due, load_s)
    assert replica_s(due, until_s) <= replica_s(serving, until_s) + 1e-3
    assert replica_s(serving, until_s) <= replica_s(paid, until_s) + 1e-3


def test_what_loads_is_paid_for():
    assert replica_s(UP, 100.0) == 2 * 60 + 3 * 40
    assert replica_s(UP, 30.0) == 60
    assert loading_s(UP, 20.0, 100.0) == 20
    assert loading_s(TWICE, 90.0, 200.0) == 2 * 90  # the first one was there at 0


@settings(deadline=None, max_examples=30)
@given(schedules, st.sampled_from([0.0, 20.0, 30.0, 55.0, 300.0]))
def test_the_load_time_changes_what_is_paid_and_not_what_is_served(due, load_s):
    """The reason why load times share what was played."""
    arrivals = [Arrival(0.7 * number, "", 300, 20) for number in range(300)]
    stories = []
    for steps, loads_s in ((due, load_s), (ready(due, load_s), 0.0)):
        scaler = Scheduled(steps, loads_s)
        setup = Setup(RATES, loads_s, initial=scaler.initial)
        stories.append(play(arrivals, scaler, setup))
    first, second = stories
    assert (first.ttft_s, first.tpot_ratio) == (second.ttft_s, second.tpot_ratio)
    extra_s = loading_s(due, load_s, first.seconds)
    assert first.replica_s == pytest.approx(second.replica_s + extra_s)


def test_a_scaler_orders_what_the_schedule_says():
    scaler = Scheduled(UP, 20.0)
    assert scaler.initial == 2
    found = [scaler.decide(seen(), now=at).replicas for at in (0.0, 39.0, 40.0, 999.0)]
    assert found == [2, 2, 3, 3]
