"""The pictures of a run, as SVG text to stand inside a page.

* How times are distributed at each level: the share of requests (for ITL: of gaps) that
  took at most so long.
* Tokens per second and TTFT against load, from the lowest to the highest round.
* Ratios to the first target, from the lowest to the highest round.
"""

import statistics
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from serve_app.bench.level import Level
from serve_app.bench.metrics import COMPARED, samples
from serve_app.bench.results import Results
from serve_app.bench.target import Target
from serve_app.report.figure import grid, svg

_TITLES = {metric.key: metric.title for metric in COMPARED}
_SCALES = {metric.key: metric.scale for metric in COMPARED}
_DISTRIBUTED = ("ttft", "itl", "e2e")
_AGAINST_LOAD = ("output_tokens_per_s", "ttft_p50_s", "ttft_p99_s")
_RATIOS = (
    "ttft_p50_s",
    "ttft_p99_s",
    "itl_p50_s",
    "itl_p99_s",
    "tpot_p50_s",
    "e2e_p50_s",
    "output_tokens_per_s",
)
_POINTS = 200


def figures(results: Results) -> Iterator[str]:
    """Each figure as an `<svg>` element."""
    yield svg(_distributions(results))
    yield svg(_against_load(results))
    if len(results.plan.targets) > 1:
        yield svg(_compared(results))


def _distributions(results: Results) -> Figure:
    figure, panels = grid(len(results.plan.levels), len(_DISTRIBUTED))
    for level, row in zip(results.plan.levels, panels, strict=True):
        for time, axes in zip(_DISTRIBUTED, row, strict=True):
            for target in results.plan.targets:
                _distribution(axes, results, target, level, time)
            axes.set_title(f"{time.upper()} ms, {level}")
            axes.set_ylim(0, 1)
            axes.set_xlim(left=0)
    panels[0][0].legend()
    return figure


def _distribution(axes: Axes, results: Results, target: Target, level: Level, time: str) -> None:
    completed = [answer for m in results.of(target, level) for answer in m.completed]
    values = samples(completed)[time]
    points = statistics.quantiles(values, n=_POINTS, method="inclusive") if len(values) > 1 else []
    shares = [(index + 1) / _POINTS for index in range(len(points))]
    axes.plot([value * 1e3 for value in points], shares, label=target.name)


def _against_load(results: Results) -> Figure:
    figure, [panels] = grid(1, len(_AGAINST_LOAD))
    for key, axes in zip(_AGAINST_LOAD, panels, strict=True):
        for target in results.plan.targets:
            _load_line(axes, results, target, key)
        axes.set_title(_TITLES[key])
        axes.set_xticks(range(len(results.plan.levels)), map(str, results.plan.levels))
        axes.set_ylim(bottom=0)
    panels[0].legend()
    return figure


def _load_line(axes: Axes, results: Results, target: Target, key: str) -> None:
    places, middles, below, above = [], [], [], []
    for place, level in enumerate(results.plan.levels):
        rounds = [found[key] for found in results.by_round(target, level) if key in found]
        if rounds:
            middle = statistics.median(rounds)
            places.append(place)
            middles.append(middle * _SCALES[key])
            below.append((middle - min(rounds)) * _SCALES[key])
            above.append((max(rounds) - middle) * _SCALES[key])
    axes.errorbar(places, middles, yerr=[below, above], marker="o", capsize=3, label=target.name)


def _compared(results: Results) -> Figure:
    levels = results.plan.levels
    figure, rows = grid(-(-len(levels) // 3), min(3, len(levels)))
    panels = [axes for row in rows for axes in row]
    for level, axes in zip(levels, panels, strict=False):
        for place, target in enumerate(results.plan.targets[1:]):
            _ratio_bars(axes, results, target, level, shift=place * 0.15)
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set_title(f"÷ {results.plan.targets[0].name}, {level}")
        axes.set_yticks(range(len(_RATIOS)), [_TITLES[key] for key in _RATIOS])
        axes.invert_yaxis()
    for axes in panels[len(levels) :]:
        axes.remove()
    panels[0].legend()
    return figure


def _ratio_bars(
    axes: Axes, results: Results, target: Target, level: Level, *, shift: float
) -> None:
    ratios = results.ratios(target, level)
    found = [(place, ratios[key]) for place, key in enumerate(_RATIOS) if key in ratios]
    axes.errorbar(
        [spread.median for _, spread in found],
        [place + shift for place, _ in found],
        xerr=[
            [spread.median - spread.low for _, spread in found],
            [spread.high - spread.median for _, spread in found],
        ],
        fmt="o",
        capsize=3,
        label=target.name,
    )
