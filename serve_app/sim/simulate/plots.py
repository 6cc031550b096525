"""The pictures of a replay: attainment against cost, and each run over time."""

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes

from serve_app.report.figure import grid, svg
from serve_app.sim.simulate.played import Played
from serve_app.sim.simulate.policies import ORACLE

_WIDE_IN = (9.0, 1.7)
_HOUR_S = 3600.0
_BOTTOM = 0.9  # points below are in the tables


def pareto(runs: Sequence[Played]) -> str:
    """A panel per load time; the targets of one policy are joined. Where there is an oracle,
    costs are multiples of its own."""
    by_load = [list(group) for _, group in groupby(runs, key=lambda done: done.load_s)]
    figure, [panels] = grid(1, len(by_load), panel_in=(4.2, 3.4))
    for group, axes in zip(by_load, panels, strict=True):
        unit = next((r.measures.replica_hours for r in group if r.policy.name == ORACLE), None)
        for name in dict.fromkeys(done.policy.name for done in group):
            _curve(axes, [done for done in group if done.policy.name == name], unit or 1.0)
        axes.set_title(f"load time {group[0].load_s:g} s")
        axes.set_xlabel("replica-hours ÷ oracle" if unit else "replica-hours")
        if max(done.measures.attainment for done in group) > _BOTTOM:
            axes.set_ylim(max(axes.get_ylim()[0], _BOTTOM * 100), 100.3)
    panels[0].set_ylabel("in time, %")
    panels[0].legend(fontsize=7)
    return svg(figure)


def _curve(axes: Axes, runs: Sequence[Played], unit: float) -> None:
    places = [(run.measures.replica_hours / unit, run.measures.attainment * 100) for run in runs]
    costs, shares = zip(*sorted(places), strict=True)
    axes.plot(costs, shares, marker="o", markersize=4, label=runs[0].policy.name)
    for run, place in zip(runs, places, strict=True):
        if run.policy.target is not None:
            axes.annotate(f"{run.policy.target:g}", place, fontsize=6, clip_on=True)


def over_time(done: Played) -> str:
    """Arrivals, replicas, backlog and TTFT, one below the other."""
    panels = (_arrivals, _replicas, _depth, _ttft)
    figure, rows = grid(len(panels), 1, panel_in=_WIDE_IN)
    for draw, [axes] in zip(panels, rows, strict=True):
        draw(axes, done)
        axes.margins(x=0.01)
        axes.set_ylim(bottom=0)
    rows[-1][0].set_xlabel("hours")
    return svg(figure)


def _arrivals(axes: Axes, done: Played) -> None:
    hours = [late.at_s / _HOUR_S for late in done.lateness]
    axes.plot(hours, [late.arrivals_per_s for late in done.lateness], linewidth=0.8)
    axes.set_ylabel("arrivals/s")


def _replicas(axes: Axes, done: Played) -> None:
    hours = [sample.at_s / _HOUR_S for sample in done.samples]
    for name in ("held", "wanted", "ready"):
        counts = [getattr(sample, name) for sample in done.samples]
        axes.step(hours, counts, where="post", linewidth=0.8, label=name)
    axes.set_ylabel("replicas")
    axes.legend(fontsize=7, ncols=3, loc="upper left")


def _depth(axes: Axes, done: Played) -> None:
    hours = [sample.at_s / _HOUR_S for sample in done.samples]
    axes.plot(hours, [sample.depth for sample in done.samples], linewidth=0.8)
    axes.set_ylabel("waiting")


def _ttft(axes: Axes, done: Played) -> None:
    hours = [late.at_s / _HOUR_S for late in done.lateness]
    for name in ("p99", "p95", "p50"):
        axes.plot(hours, [late.ttft_s[name] for late in done.lateness], linewidth=0.8, label=name)
    axes.set_ylabel("TTFT, s")
    axes.legend(fontsize=7, ncols=3, loc="upper left")
