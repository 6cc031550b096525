"""What a replica carries, from reports."""

import pytest

from serve_app.core.capacity import Capacity
from serve_app.core.peak import Peak
from serve_app.core.report import ReplicaLoad
from serve_app.core.window import Window


def report(running: int, **more: float) -> ReplicaLoad:
    return ReplicaLoad(running, 100, 0.0, **more)  # type: ignore[arg-type]


def test_until_something_is_known_a_replica_carries_its_slots() -> None:
    capacity = Capacity(late=0.03)

    assert capacity.sequences([report(10)]) == pytest.approx(100)
    assert capacity.usage([report(50), report(25)]) == pytest.approx(0.75)
    assert capacity.tokens_per_s == capacity.answers_per_s == 0
    assert "Capacity" in repr(capacity)


def test_a_token_that_gets_twice_as_slow_at_twenty_sequences_makes_twenty_full() -> None:
    capacity = Capacity(late=0.03)
    busy = [report(10, slow_tpot_s=0.015, tpot_s=0.011, alone_tpot_s=0.010, token_s=0.01)]
    capacity.learn(busy, seconds=1.0)

    assert capacity.sequences(busy) == pytest.approx(20)
    assert capacity.usage(busy) == pytest.approx(2 / 3)  # half of the slots, each for ¾ of the time
    assert capacity.tokens_per_s == pytest.approx(10 / 0.01 / (2 / 3))


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_answers_that_end_are_those_of_so_many_full_replicas(replicas: int) -> None:
    capacity = Capacity(late=0.03)
    half = [report(50, token_s=0.01, answers_per_s=4.0)] * replicas
    capacity.learn(half, seconds=1.0)

    assert capacity.answers_per_s == pytest.approx(8.0)


@pytest.mark.parametrize("replicas", [1, 2, 5, 20])
def test_the_same_traffic_is_as_much_use_on_any_number_of_replicas(replicas: int) -> None:
    """Of 10 ms + 0.5 ms for each that shares the replica, so full at 20; as much as one can do."""
    capacity = Capacity(late=0.03)
    per_s = 1000 / replicas  # tokens: 20 sequences ÷ 20 ms
    running = per_s * 0.010 / (1 - per_s * 0.0005)
    tpot_s = 0.010 + 0.0005 * running
    reports = [report(round(running), slow_tpot_s=tpot_s, alone_tpot_s=0.010)] * replicas
    for _ in range(100):
        capacity.learn(reports, seconds=1.0)

    assert capacity.usage(reports) == pytest.approx(1.0, abs=0.1)


def test_a_replica_that_is_too_full_does_no_more_than_its_tokens_say() -> None:
    """At three times full a token takes twice as long as at full: 3 × 2 ÷ 4."""
    capacity = Capacity(late=0.03)
    capacity.learn([report(10, slow_tpot_s=0.015, alone_tpot_s=0.010)], seconds=1.0)

    assert capacity.usage([report(60, alone_tpot_s=0.010)]) == pytest.approx(1.5)


def test_a_replica_that_fills_up_does_not_look_larger_while_its_answers_are_young() -> None:
    capacity = Capacity(late=0.03)
    capacity.learn([report(10, slow_tpot_s=0.015, alone_tpot_s=0.010)], seconds=1.0)
    young = [report(90, slow_tpot_s=0.015, alone_tpot_s=0.010)]
    for _ in range(60):
        capacity.learn(young, seconds=1.0)

    assert capacity.sequences(young) == pytest.approx(20)


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


def test_a_peak_is_of_as_long_as_is_asked_for() -> None:
    peak = Peak()
    assert peak.over(10.0, now=0.0) == 0.0
    for at, value in ((0.0, 9.0), (5.0, 2.0), (6.0, 4.0)):
        peak.add(value, now=at)
    assert [peak.over(seconds, now=7.0) for seconds in (8.0, 2.0, 0.5)] == [9.0, 4.0, 0.0]
    assert "0 numbers" in repr(peak)


def test_a_window_forgets() -> None:
    window = Window(10.0)
    assert window.mean() == 0.0
    for at, value in ((0.0, 9.0), (5.0, 2.0), (12.0, 4.0)):
        window.add(value, now=at)
    assert window.mean() == 3.0
    assert "2 numbers" in repr(window)
