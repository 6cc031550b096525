"""Bars of the queue, on engines that batch as real ones do. `python -m serve_app.sim.fairness`
asks the same for longer, and of other orders."""

import pytest

from serve_app.sim.questions import light, memory, priorities, shapes, weights
from serve_app.sim.scenarios import Order


@pytest.mark.parametrize("load", [0.05, 0.2])
def test_a_light_tenant_hardly_notices_one_that_floods(load: float) -> None:
    alone = light(Order.OURS, load=load, flooded=False, until_s=400)
    beside = light(Order.OURS, load=load, until_s=400)

    assert beside.ttft_p99_s <= 1.3 * alone.ttft_p99_s
    assert beside.refused == 0.0


def test_where_the_first_to_come_is_first_it_waits_behind_all_that_came_before() -> None:
    beside = light(Order.FIRST_COME, load=0.05, until_s=150)

    assert beside.ttft_p50_s > 10.0


def test_tenants_of_any_shape_are_served_alike_in_every_minute() -> None:
    even = shapes(Order.OURS, until_s=330)

    assert even.worst_minute >= 0.98
    assert even.worst_minute_learning >= 0.95
    assert even.shares == pytest.approx(dict.fromkeys(even.shares, 1.0), abs=0.05)


def test_tenants_in_turn_are_served_by_request_and_not_by_what_it_costs() -> None:
    assert shapes(Order.ROUND_ROBIN, until_s=330).worst_minute < 0.95


def test_weights_hold() -> None:
    even = weights(Order.OURS, until_s=330)

    assert even.worst_minute >= 0.98
    assert even.shares == pytest.approx(dict.fromkeys(even.shares, 1.0), abs=0.03)


def test_high_priority_that_fits_is_served_in_time_and_low_gets_the_rest() -> None:
    classes = priorities(Order.OURS, load=0.6, until_s=250)

    assert classes.high_in_slo >= 0.994
    assert classes.low_share >= 0.3


def test_the_kv_cache_is_filled_and_nothing_is_preempted() -> None:
    ours, plain = (memory(plain_slots=plain_slots, until_s=180) for plain_slots in (False, True))

    assert (ours.preempted, plain.preempted > 0) == (0, True)
    assert ours.served_per_s >= 0.95 * plain.served_per_s
    assert ours.prefill_p99_s <= 0.5 * plain.prefill_p99_s
