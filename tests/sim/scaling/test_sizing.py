"""Fleets that are found by replaying."""

from dataclasses import replace

import pytest

from serve_app.sim.scaling.demand import slower
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.scaling.sizing import fewest, in_time, slowdown
from serve_app.sim.traffic import Arrival

ARRIVALS = [Arrival(at / 5, "t", 1000, 50) for at in range(600)]
SETUP = Setup(Rates(10_000.0, ((1, 0.02), (2, 0.021)), 100_000, 20, 2048), load_s=30.0, most=8)


@pytest.mark.parametrize("guess", [0.5, 2.0, 7.0])
def test_the_fewest_are_the_same_from_any_guess(guess):
    replicas = fewest(ARRIVALS, SETUP, 0.99, guess=guess)
    assert in_time(ARRIVALS, replicas, SETUP) >= 0.99
    assert in_time(ARRIVALS, replicas - 1, SETUP) < 0.99


def test_where_none_are_enough_it_is_the_most():
    hopeless = Setup(slower(SETUP.rates, 100), load_s=0.0, most=3)
    assert fewest(ARRIVALS, hopeless, 0.99, guess=1.0) == 3


def test_nothing_needs_one():
    assert fewest([], SETUP, 0.99, guess=4.0) == 1


def test_a_slowdown_leaves_so_many_just_enough():
    times = slowdown(ARRIVALS, SETUP, 0.99, replicas=4, guess=3.0)
    slow = replace(SETUP, rates=slower(SETUP.rates, times))
    assert fewest(ARRIVALS, slow, 0.99, guess=4.0) == 4


def test_what_comes_at_once_needs_more_than_fast_replicas():
    crowd = [Arrival(0.0, "t", 1000, 50) for _ in range(100)]
    assert slowdown(crowd, SETUP, 0.99, replicas=1, guess=1.0) is None
