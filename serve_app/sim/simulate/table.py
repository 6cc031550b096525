"""Runs as Markdown that reads as well unrendered: a table per load time, a row per policy."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from serve_app.calibration.words import steps
from serve_app.report.grid import drawn
from serve_app.sim.simulate.frontier import verdicts
from serve_app.sim.simulate.played import Played
from serve_app.sim.simulate.policies import ORACLE
from serve_app.sim.simulate.question import Question

NOTHING = "–"
HEAD = (
    "policy",
    "in time",
    "replica-h",
    "÷ oracle",
    "÷ needed",
    "orders/h",
    "backlog",
    "recovery s",
    "TTFT p50 s",
    "p95",
    "p99",
)


def markdown(question: Question, runs: Sequence[Played]) -> str:
    """The whole report."""
    parts = [f"# {title(question)}", listed(facts(question, runs))]
    for load_s, rows in by_load_time(question, runs):
        grid = [list(column) for column in zip(HEAD, *map(list, rows), strict=True)]
        parts += [
            f"## load time {load_s:g} s",
            drawn(grid),
            listed(remarks(question, runs, load_s)),
        ]
    return (
        "\n\n".join(part for part in [*parts, listed(costliest(shown(question, runs)))] if part)
        + "\n"
    )


def title(question: Question) -> str:
    return f"{question.deployment.name} under {question.traffic.part.name}"


def facts(question: Question, runs: Sequence[Played]) -> list[str]:
    """What was replayed, and how to read it."""
    total, rates = question.survey.total, question.rates
    traffic = (
        f"{total.requests} requests in {total.seconds / 3600:.2f} h, mean "
        f"{total.prompt_tokens / total.requests:.0f} prompt and "
        f"{total.answer_tokens / total.requests:.0f} answer tokens"
    )
    if question.clipped:
        traffic += f"; {question.clipped} cut to max_model_len {question.deployment.max_model_len}"
    replica = (
        f"a replica: prefill {rates.prefill_tokens_per_s:.0f} tokens/s, "
        f"{steps(rates.decode_steps)}, {rates.kv_tokens} KV tokens, {rates.max_num_seqs} sequences"
    )
    if question.slowdown != 1.0:
        replica += f"; {question.slowdown:.2f} times as slow as the deployment's, for --fleet"
    counts = sorted({done.initial for done in runs})
    begins = " to ".join(str(number) for number in dict.fromkeys((counts[0], counts[-1])))
    fleet = (
        f"{question.bounds.least} to {question.bounds.most} replicas, {begins} at first; "
        f"the busiest {question.survey.windows[0].seconds:.0f} s need {question.peak}"
    )
    return [traffic, replica, fleet, f"in time: {slo(question)}; refusals are misses"]


def slo(question: Question) -> str:
    limits = question.slo
    step_s = limits.tpot_s or limits.tpot_times * question.rates.alone_s
    return (
        f"TTFT ≤ {limits.ttft_s:g} s + {limits.prefills:g} × its own prefill, "
        f"TPOT ≤ {step_s * 1e3:.3g} ms"
    )


def by_load_time(
    question: Question, runs: Sequence[Played]
) -> Iterable[tuple[float, list[list[str]]]]:
    """The rows of each table."""
    for load_s, group in groupby(runs, key=lambda done: done.load_s):
        rows = list(group)
        best = next((r.measures.replica_hours for r in rows if r.policy.name == ORACLE), None)
        yield load_s, [row(done, best, question.needed_hours) for done in rows]


def row(done: Played, best: float | None, needed: float) -> list[str]:
    found = done.measures
    return [
        str(done.policy),
        f"{found.attainment:.2%}",
        f"{found.replica_hours:.2f}",
        f"{found.replica_hours / best:.2f}" if best else NOTHING,
        f"{found.replica_hours / needed:.2f}",
        f"{found.orders_per_hour:.1f}",
        str(found.worst_backlog),
        f"{found.recovery_s:.0f}",
        *(number(found.ttft_s.get(name, math.inf), 2) for name in ("p50", "p95", "p99")),
    ]


def remarks(question: Question, runs: Sequence[Played], load_s: float) -> list[str]:
    """What is to be said about the runs of one load time."""
    group = [done for done in runs if done.load_s == load_s]
    found = [f"{done.policy}: {done.how}" for done in group if done.how]
    return [*found, *verdicts(group)] if question.is_sweep else found


def shown(question: Question, runs: Sequence[Played]) -> list[Played]:
    """Those of which more than a row is shown: in a sweep, each policy at its default."""
    return [done for done in runs if done.policy.target is None or not question.is_sweep]


def number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "never"


def costliest(runs: Sequence[Played]) -> list[str]:
    """The minutes that cost each run the most misses."""
    lines = []
    for done in runs:
        worst = [
            f"{m.at_s / 60:.0f} ({m.misses} of {m.requests})" for m in done.measures.worst_minutes
        ]
        if worst:
            where = f"{done.policy}, load {done.load_s:g} s"
            lines.append(f"{where}: most misses in minute {', '.join(worst)}")
    return lines


def listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
