"""Runs made by hand, for what is computed and drawn from them."""

from collections.abc import Callable, Sequence

from serve_app.bench.answer import Answer, Measurement
from serve_app.bench.level import Level
from serve_app.bench.plan import Plan
from serve_app.bench.results import Results
from serve_app.bench.slo import Slo
from serve_app.bench.target import Target
from serve_app.bench.words import Words
from serve_app.bench.workload import Random

ONE = Level("concurrency", 1)


def answer(ttft_s: float = 0.1, itl_s: float = 0.02, tokens: int = 11, error: str = "") -> Answer:
    """An even stream: first token after `ttft_s`, one more every `itl_s`."""
    itls_s = (itl_s,) * (tokens - 1)
    return Answer(
        ttft_s=ttft_s,
        itls_s=itls_s,
        e2e_s=ttft_s + sum(itls_s),
        input_tokens=256,
        output_tokens=tokens,
        asked_tokens=tokens,
        error=error,
    )


def measurement(
    answers: Sequence[Answer],
    target: str = "first",
    number: int = 0,
    level: Level = ONE,
    duration_s: float = 2.0,
    cpu_share: float = 0.1,
) -> Measurement:
    return Measurement(target, level, number, duration_s, cpu_share, tuple(answers))


def results(
    names: Sequence[str] = ("first", "second"),
    levels: Sequence[Level] = (ONE,),
    rounds: int = 3,
    answers: Callable[[str, int], Sequence[Answer]] = lambda name, number: [answer(), answer()],
    **measured: float,
) -> Results:
    """`answers` gives what a target answered in a round."""
    targets = [Target(name, "http://127.0.0.1:8000/v1", model="tiny") for name in names]
    plan = Plan(targets, Random(Words()), levels, rounds=rounds, slo=Slo(ttft_s=0.2))
    measurements = tuple(
        measurement(answers(name, number), name, number, level, **measured)
        for number in range(rounds)
        for level in levels
        for name in names
    )
    return Results(plan, started_at=0.0, measurements=measurements)
