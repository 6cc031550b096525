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


def test_reading_takes_no_less_than_its_kernels_however_short_the_prompt():
    rates = replace(RATES, read_step_s=0.05, reading_s=0.2)
    first, second = replayed(Load(0.5, (sent(answer=11), sent(at_s=0.25))), rates).requests
    assert first.ttft_s == pytest.approx(0.25)
    assert second.ttft_s == pytest.approx(0.02 + 0.2)
    assert first.tpot_s == pytest.approx((0.22 + 0.021 * 9) / 10)


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
