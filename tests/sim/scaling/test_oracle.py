"""What each window of a trace needs."""

from itertools import pairwise

import pytest

from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.oracle import WARM_UP_S, Window, misses, needs, windows
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

SETUP = Setup(Rates(2000.0, ((1, 0.02), (2, 0.021)), 50_000, 64, 2048), load_s=0.0, most=6)


def arrivals(per_s, from_s, until_s):
    count = int(per_s * (until_s - from_s))
    return [Arrival(from_s + number / per_s, "", 200, 40) for number in range(count)]


@pytest.mark.parametrize(
    ("seconds", "window_s", "lengths"),
    [(120.0, 60.0, [60, 60]), (130.0, 60.0, [60, 60, 10]), (30.0, 60.0, [30]), (0.0, 60.0, [0])],
)
def test_windows_are_the_whole_trace(seconds, window_s, lengths):
    found = windows(seconds, window_s)
    assert [window.seconds for window in found] == lengths
    assert all(first.until_s == second.at_s for first, second in pairwise(found))


def test_the_more_replicas_the_fewer_misses_and_a_quiet_window_has_none():
    burst = arrivals(2.0, 0.0, 60.0) + arrivals(14.0, 60.0, 120.0)
    quiet, busy, empty = needs(burst, windows(180.0, 60.0), SETUP)
    assert quiet == dict.fromkeys(range(1, 7), 0)
    assert list(busy) == list(range(1, 7))
    assert busy[1] > 400
    assert busy[6] == 0
    assert sorted(busy.values(), reverse=True) == list(busy.values())
    assert empty == dict.fromkeys(range(1, 7), 0)


def test_windows_that_are_looked_at_apart_miss_the_same():
    burst = arrivals(6.0, 0.0, 60.0) + arrivals(14.0, 60.0, 120.0)
    together = needs(burst, windows(120.0, 60.0), SETUP)
    late = [arrival for arrival in burst if arrival.at_s >= 60.0 - WARM_UP_S]
    assert needs(late, [Window(60.0, 60.0)], SETUP) == together[1:]


def test_what_comes_before_a_window_warms_up_and_does_not_count():
    late = arrivals(20.0, 0.0, 30.0)
    assert misses(late, len(late), 1, SETUP) == 0
    assert misses(late, len(late) - 10, 1, SETUP) <= 10
