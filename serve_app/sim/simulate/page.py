"""A replay as one HTML file: tables, and plots as inline SVG. Nothing is loaded."""

import shlex
import sys
from collections.abc import Iterator, Sequence

from serve_app.report.page import document, figure, heading, listed, table
from serve_app.sim.simulate.played import Played
from serve_app.sim.simulate.question import Question
from serve_app.sim.simulate.table import HEAD, by_load_time, costliest, facts, remarks, shown, title


def html(question: Question, runs: Sequence[Played]) -> str:
    """The whole report."""
    return document(title(question), _body(question, runs))


def _body(question: Question, runs: Sequence[Played]) -> Iterator[str]:
    from serve_app.sim.simulate import plots  # noqa: PLC0415 - matplotlib takes a second to import

    yield heading(title(question), 1)
    yield listed(facts(question, runs))
    yield figure(plots.pareto(runs))
    for load_s, rows in by_load_time(question, runs):
        yield heading(f"load time {load_s:g} s")
        yield table([HEAD, *rows])
        yield listed(remarks(question, runs, load_s))
    for done in shown(question, runs):
        yield heading(f"{done.policy}, load time {done.load_s:g} s")
        yield listed(costliest([done]))
        yield figure(plots.over_time(done))
    yield heading("How") + listed([f"command: {shlex.join(sys.argv)}"])
