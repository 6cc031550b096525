"""One replica of the engine model under a load that was measured."""

from dataclasses import replace

import pytest

from serve_app.calibration.points import Load, Sent
from serve_app.sim.clock import Clock
from serve_app.sim.scaling.compare import Row, compare, replayed
from serve_app.sim.scaling.engine import Replica
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.job import Job

RATES = Rates(1000.0, ((1, 0.02), (2, 0.021)), 10_000, 8, 2048)


class Quiet:
    """Hears, and says nothing."""

    def first_token(self, replica: Replica, job: Job) -> None: ...

    def outgrew(self, replica: Replica, job: Job, tokens: int) -> int:
        return tokens

    def finished(self, replica: Replica, job: Job) -> None: ...


def sent(at_s: float = 0.0, prompt: int = 100, answer: int = 11) -> Sent:
    return Sent(at_s, prompt, answer, 1.0, 1.0)


@pytest.mark.parametrize(
    ("extra", "ttft_s", "why"),
    [
        ({}, 0.1, "its tokens alone"),
        ({"overhead_s": 0.05}, 0.15, "what it costs to get there"),
        ({"read_step_s": 0.02}, 0.12, "a step that only reads"),
        ({"overhead_s": 0.05, "read_step_s": 0.02}, 0.17, "both"),
    ],
)
def test_a_prompt_alone_takes_its_tokens_and_what_is_fixed(extra, ttft_s, why):
    [found] = replayed(Load(0.5, (sent(),)), replace(RATES, **extra)).requests
    assert found.ttft_s == pytest.approx(ttft_s), why
    assert found.tpot_s == pytest.approx(0.02), why


def test_each_chunk_of_a_long_prompt_is_a_step():
    rates = replace(RATES, chunk_tokens=64, read_step_s=0.02)
    [found] = replayed(Load(0.5, (sent(prompt=128),)), rates).requests
    assert found.ttft_s == pytest.approx(0.128 + 2 * 0.02)


def test_a_step_that_decodes_too_does_not_pay_for_reading_again():
    rates = replace(RATES, read_step_s=0.02)
    _, second = replayed(Load(0.5, (sent(answer=101), sent(at_s=0.12))), rates).requests
    assert second.ttft_s == pytest.approx(0.12)  # a step of one, and 100 tokens in it


def test_reading_takes_what_was_measured_of_so_many_tokens():
    rates = replace(RATES, read_step_s=0.05, reading=((50, 0.1), (150, 0.3)))
    first, second = replayed(Load(0.5, (sent(answer=11), sent(at_s=0.25))), rates).requests
    assert first.ttft_s == pytest.approx(0.25)
    assert second.ttft_s == pytest.approx(0.02 + 0.2)
    assert first.tpot_s == pytest.approx((0.22 + 0.021 * 9) / 10)


@pytest.mark.parametrize(("beside", "step_s"), [(1.0, 0.04), (0.5, 0.03), (0.0, 0.02)])
def test_many_who_decode_are_in_addition_to_reading_or_not(beside, step_s):
    """Two decode from 0.22 on, in steps of 0.04."""
    rates = replace(RATES, decode_steps=((1, 0.02), (2, 0.04)), beside=beside)
    arrivals = (sent(answer=101), sent(answer=101), sent(at_s=0.28))
    found = replayed(Load(0.5, arrivals), rates).requests
    assert found[2].ttft_s == pytest.approx(0.02 + 0.1 + step_s)


AHEAD = replace(RATES, decode_steps=((1, 0.02), (2, 0.02)), steps_ahead=1)


@pytest.mark.parametrize(
    ("at_s", "ttft_s", "why"),
    [
        (
            0.11,
            0.01 + 0.02 + 0.12,
            "the step after the one that runs was decided on before it came",
        ),
        (0.4, 0.1, "while nothing runs, nothing is decided"),
    ],
)
def test_who_comes_during_a_step_is_read_in_the_one_after_the_next(at_s, ttft_s, why):
    found = replayed(Load(0.5, (sent(answer=11), sent(at_s=at_s))), AHEAD).requests
    assert found[1].ttft_s == pytest.approx(ttft_s), why


def test_a_step_ahead_is_one_that_reads_for_those_who_came_before():
    """One decodes; two come one after the other, within the same step and the one after it."""
    arrivals = (sent(answer=101), sent(at_s=0.11), sent(at_s=0.13))
    _, second, third = replayed(Load(0.5, arrivals), AHEAD).requests
    assert second.at_s + second.ttft_s == pytest.approx(0.26)
    assert third.at_s + third.ttft_s == pytest.approx(0.38), "after the step that read the second"


def test_a_crowd_is_read_step_by_step_and_none_of_them_is_empty():
    rates = replace(AHEAD, chunk_tokens=200)
    found = replayed(Load(0.0, tuple(sent(answer=1) for _ in range(6))), rates).requests
    assert [one.ttft_s for one in found] == pytest.approx([0.1, 0.3, 0.3, 0.5, 0.5, 0.6])


def test_overhead_of_one_request_keeps_no_other_waiting():
    rates = replace(RATES, overhead_s=5.0)
    first, second = replayed(
        Load(0.0, (sent(prompt=10), sent(at_s=1.0, prompt=10))), rates
    ).requests
    assert first.ttft_s == second.ttft_s == pytest.approx(5.01)


def test_a_replica_to_which_a_request_is_on_its_way_is_not_idle():
    clock = Clock()
    replica = Replica("r", replace(RATES, overhead_s=5.0), clock, Quiet())
    replica.add(Job("a", 10, 2, 12))
    clock.run(until_s=4.0)
    assert not replica.is_idle
    clock.run(until_s=6.0)
    assert replica.is_idle


def test_a_model_under_its_own_times_is_not_off():
    load = Load(0.5, tuple(sent(at_s=0.2 * number, answer=5 + number) for number in range(20)))
    own = replayed(load, RATES)
    rows = compare([own, own], RATES)
    assert [row.number for row in rows] == ["TTFT p50", "TTFT p95", "TPOT p50", "tokens/s out"]
    assert all(row.error == pytest.approx(0) for row in rows)
    slow = compare([own], replace(RATES, prefill_tokens_per_s=500.0))
    assert slow[0].error > 0.9


def test_all_wait_for_their_place_and_none_is_refused():
    load = Load(0.0, tuple(sent() for _ in range(2000)))
    found = replayed(load, RATES)
    assert max(request.ttft_s for request in found.requests) > 200


@pytest.mark.parametrize(
    ("number", "model", "is_off"),
    [
        ("TTFT p50", 1.14, False),
        ("TTFT p50", 1.16, True),
        ("tokens/s out", 0.84, True),
        ("TPOT p50", 2.0, False),  # printed, not promised
    ],
)
def test_more_than_15_percent_is_off(number, model, is_off):
    assert Row("x", number, 1.0, model).is_off is is_off
