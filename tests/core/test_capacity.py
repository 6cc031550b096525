"""What a replica carries, from reports."""

import pytest

from serve_app.core.capacity import Capacity
from serve_app.core.growth import PRIOR, Growth
from serve_app.core.report import ReplicaLoad
from serve_app.core.window import Window


def report(running: int, **more: float) -> ReplicaLoad:
    return ReplicaLoad(running, 100, 0.0, **more)  # type: ignore[arg-type]


def test_until_something_is_known_a_replica_carries_its_slots() -> None:
    capacity = Capacity(late=0.03)

    assert capacity.sequences([report(10)]) == pytest.approx(100)
    assert capacity.usage([report(50), report(25)]) == pytest.approx(0.75)
    assert capacity.tokens_per_s == 0
    assert "Capacity" in repr(capacity)


def test_a_token_that_gets_twice_as_slow_at_twenty_sequences_makes_twenty_full() -> None:
    capacity = Capacity(late=0.03)
    busy = [report(10, slow_tpot_s=0.015, tpot_s=0.011, alone_tpot_s=0.010, token_s=0.01)]
    capacity.learn(busy, seconds=1.0)

    assert capacity.sequences(busy) == pytest.approx(20)
    assert capacity.usage(busy) == pytest.approx(0.5)
    assert capacity.tokens_per_s == pytest.approx(10 / 0.01 / 0.5)


def test_before_an_answer_has_ended_all_tokens_tell() -> None:
    capacity = Capacity(late=0.03)
    busy = [report(10, tpot_s=0.015, alone_tpot_s=0.010)]
    capacity.learn(busy, seconds=1.0)

    assert capacity.sequences(busy) == pytest.approx(20)


def test_a_slowdown_of_four_leaves_three_times_as_much_time() -> None:
    capacity = Capacity(late=0.03)
    busy = [report(10, slow_tpot_s=0.015, alone_tpot_s=0.010, slowdown=4.0)]
    capacity.learn(busy, seconds=1.0)

    assert capacity.sequences(busy) == pytest.approx(60)


def test_reading_prompts_and_a_full_cache_are_use_too() -> None:
    capacity = Capacity(late=0.03)

    assert capacity.usage([report(1, reading=0.9)]) == pytest.approx(1.0)
    assert capacity.usage([report(1, kv_usage=0.7)]) == pytest.approx(0.7)


def test_a_load_that_doubles_in_the_load_time_is_foreseen_once_it_was_seen_often() -> None:
    growth = Growth(caution=0.9)
    assert growth.factor(100.0, now=0.0) == 1 + 10 * PRIOR
    for k in range(1000):
        growth.add(2.0 if k % 24 < 12 else 1.0, now=k * 5.0)
    assert growth.factor(60.0, now=5000.0) == pytest.approx(2.0)
    assert "Growth" in repr(growth)


def test_a_load_that_falls_does_not_make_the_need_smaller() -> None:
    growth = Growth(caution=0.5)
    for k in range(1000):
        growth.add(1000.0 - k, now=k * 5.0)
    assert growth.factor(60.0, now=5000.0) == 1.0


def test_a_window_forgets() -> None:
    window = Window(10.0)
    assert (window.mean(), window.peak()) == (0.0, 0.0)
    for at, value in ((0.0, 9.0), (5.0, 2.0), (12.0, 4.0)):
        window.add(value, now=at)
    assert (window.mean(), window.peak()) == (3.0, 4.0)
    assert "2 numbers" in repr(window)
