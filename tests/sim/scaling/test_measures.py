"""What is read off a story."""

import math

import pytest

from serve_app.sim.scaling.fleet import Order, Sample, Story
from serve_app.sim.scaling.measures import Minute, held_to_busy, measures, recovery_s


def story(*requests, samples=(), orders=(), seconds=3600.0):
    """`requests` are (at_s, TTFT ratio, TPOT ratio)."""
    made = Story(slots=10, seconds=seconds, replica_s=7200.0)
    for at_s, ttft, tpot in requests:
        made.arrived(at_s)
        made.ttft_ratio[-1], made.tpot_ratio[-1], made.ttft_s[-1] = ttft, tpot, 2 * ttft
    made.samples += samples
    made.orders += orders
    return made


def sample(at_s, depth=0, *, ready=2, held=2, running=0):
    return Sample(at_s, 2, ready, held, depth, running)


def test_only_who_meets_both_limits_is_in_time():
    found = measures(story((0, 0.5, 0.5), (1, 1.0, 1.0), (2, 1.1, 0.5), (3, 0.5, math.inf)))
    assert (found.attainment, found.ttft_met, found.tpot_met) == (0.5, 0.75, 0.75)
    assert found.replica_hours == 2.0


def test_a_fleet_whose_slots_are_half_used_is_held_twice():
    samples = [sample(0, running=10), sample(10, running=10), sample(4000, running=0, held=99)]
    assert held_to_busy(story(samples=samples)) == 2.0
    assert held_to_busy(story(samples=[sample(0)])) == math.inf


@pytest.mark.parametrize(
    ("depths", "seconds", "why"),
    [
        ([0, 10, 10, 0], 0, "5 for each of 2 replicas are no backlog"),
        ([0, 11, 12, 0], 20, "from the first one with a backlog to the first without"),
        ([0, 11, 0, 11, 11, 11, 0], 30, "the longest"),
        ([11, 11], 10, "to the end"),
        ([], 0, "no samples"),
    ],
)
def test_recovery_is_the_longest_time_with_a_backlog(depths, seconds, why):
    samples = [sample(10 * place, depth) for place, depth in enumerate(depths)]
    assert recovery_s(samples) == seconds, why


def test_without_a_ready_replica_whatever_waits_is_a_backlog():
    assert recovery_s([sample(0, 1, ready=0), sample(10, 1, ready=1)]) == 10


def test_orders_after_the_last_arrival_do_not_count():
    orders = [Order(at, 1, 2, "", "") for at in (10.0, 20.0, 3601.0)]
    assert measures(story(orders=orders)).orders_per_hour == 2.0


def test_minutes_with_the_most_misses_come_first():
    late = [(60.0, 2.0, 0.0), (61.0, 2.0, 0.0), (62.0, 0.5, 0.0), (185.0, 2.0, 0.0)]
    found = measures(story((0.0, 0.5, 0.5), *late))
    assert found.worst_minutes == (Minute(60, 3, 2), Minute(180, 1, 1))


def test_nothing_is_in_time_when_nothing_is_asked():
    found = measures(story())
    assert (found.attainment, found.worst_minutes, found.ttft_s) == (1.0, (), {})
