"""A run as one HTML file: the tables, and plots as inline SVG. Nothing is loaded."""

import shlex
import sys

from serve_app.bench.doubts import warnings
from serve_app.bench.level import Level
from serve_app.bench.machine import machine, versions
from serve_app.bench.results import Results
from serve_app.bench.table import blocks, facts
from serve_app.report.page import document, figure, heading, listed, table


def html(results: Results) -> str:
    """The whole report."""
    from serve_app.bench import plots  # noqa: PLC0415 - matplotlib takes a second to import

    doubts = warnings(results)
    believed = f"{heading('Before you believe it')}{listed(doubts)}"
    body = [
        heading(results.title, 1),
        listed(facts(results)),
        f'<div class="doubts">{believed}</div>' if doubts else "",
        *map(figure, plots.figures(results)),
        *(_level(results, level) for level in results.plan.levels),
        heading("Where and how") + listed(_origin()),
    ]
    return document(results.title, body)


def _level(results: Results, level: Level) -> str:
    columns = [column for block in blocks(results, level) for column in block]
    return heading(str(level)) + table(list(zip(*columns, strict=True)))


def _origin() -> list[str]:
    here = {key: value for key, value in {**versions(), **machine()}.items() if value}
    command = shlex.join(sys.argv)
    return [f"command: {command}", *(f"{key}: {value}" for key, value in here.items())]
