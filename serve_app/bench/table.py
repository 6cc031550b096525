"""A run as Markdown that reads as well unrendered: a table per level, a column per target.

A target other than the first has a second column, its ratio to the first: the median of
the rounds, and the smallest and largest. Targets for which 100 columns are too few go into
a further table.
"""

from collections.abc import Iterable, Iterator

from serve_app.bench.doubts import warnings
from serve_app.bench.level import Level
from serve_app.bench.metrics import METRICS, Metric, Spread
from serve_app.bench.results import Results
from serve_app.report.grid import Column, drawn

WIDTH = 100
NOTHING = "–"


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [f"# {results.title}", _listed(facts(results))]
    for level in results.plan.levels:
        parts += [f"## {level}", *map(drawn, _tables(blocks(results, level)))]
    if doubts := warnings(results):
        parts += ["## Before you believe it", _listed(doubts)]
    return "\n\n".join(parts) + "\n"


def facts(results: Results) -> list[str]:
    """What was measured, and how to read it."""
    plan = results.plan
    lines = [
        f"{plan.workload} ({plan.endpoint}), rounds: {results.rounds}, seed: {plan.seed}",
        *(f"{target.name}: {target.model} at {target.url}" for target in plan.targets),
        "p50, p95, p99 over all requests of all rounds; rates: median of the rounds",
    ]
    if len(plan.targets) > 1:
        lines.append(f"÷ {plan.targets[0].name}: median of the rounds' ratios (smallest–largest)")
    if str(plan.slo):
        lines.append(f"goodput: requests with {plan.slo}")
    return lines


def blocks(results: Results, level: Level) -> list[list[Column]]:
    """The columns of a level, header first: those of the labels, then those of each target."""
    first, *others = results.plan.targets
    numbers = {target: results.summary(target, level) for target in results.plan.targets}
    shown = [m for m in METRICS if any(m.key in found for found in numbers.values())]
    made = [[["", *(metric.title for metric in shown)]]]
    made += [[[t.name, *(_number(m, found) for m in shown)]] for t, found in numbers.items()]
    for target, block in zip(others, made[2:], strict=True):
        ratios = results.ratios(target, level)
        block.append([f"÷ {first.name}", *(_ratio(ratios.get(m.key)) for m in shown)])
    return made


def _number(metric: Metric, found: dict[str, float]) -> str:
    """Three digits, as many as such measurements carry."""
    if metric.key not in found:
        return NOTHING
    value = found[metric.key]
    if isinstance(value, int):
        return str(value)
    shown = value * metric.scale
    return f"{shown:.0f}" if shown >= 100 else f"{shown:#.3g}"


def _ratio(spread: Spread | None) -> str:
    if spread is None:
        return NOTHING
    return f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def _tables(made: list[list[Column]]) -> Iterator[list[Column]]:
    """Labels and first target with as many others as fit beside them."""
    labels, first, *others = made
    always = table = [*labels, *first]
    for block in others:
        if table != always and _width([*table, *block]) > WIDTH:
            yield table
            table = always
        table = [*table, *block]
    yield table


def _width(table: Iterable[Column]) -> int:
    return 1 + sum(max(map(len, column)) + 3 for column in table)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
