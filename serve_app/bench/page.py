"""A run as one HTML file: the tables, and plots as inline SVG. Nothing is loaded."""

import html as markup
import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from serve_app.bench.level import Level
from serve_app.bench.machine import machine, versions
from serve_app.bench.table import blocks, facts

if TYPE_CHECKING:
    from serve_app.bench.results import Results

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.doubts { background: #fff4d6; padding: .1em 1em; }
figure { margin: 1em 0; overflow-x: auto; }
code { overflow-wrap: anywhere; }
"""


def html(results: "Results") -> str:
    """The whole report."""
    from serve_app.bench import plots  # noqa: PLC0415 - matplotlib takes a second to import

    title = markup.escape(results.title)
    warnings = results.warnings()
    body = [
        f"<h1>{title}</h1>",
        _listed(facts(results)),
        f'<div class="doubts"><h2>Before you believe it</h2>{_listed(warnings)}</div>'
        if warnings
        else "",
        *(f"<figure>{figure}</figure>" for figure in plots.figures(results)),
        *(_level(results, level) for level in results.plan.levels),
        f"<h2>Where and how</h2>{_listed(_origin())}",
    ]
    return _DOCUMENT.format(title=title, style=_STYLE, body="\n".join(body))


_DOCUMENT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body>
{body}
</body>
</html>
"""


def _level(results: "Results", level: Level) -> str:
    columns = [column for block in blocks(results, level) for column in block]
    header, *rows = zip(*columns, strict=True)
    lines = [_row("th", header), *(_row("td", row) for row in rows)]
    return f"<h2>{markup.escape(str(level))}</h2><table>{''.join(lines)}</table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{markup.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _listed(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{markup.escape(line)}</li>" for line in lines) + "</ul>"


def _origin() -> list[str]:
    here = {key: value for key, value in {**versions(), **machine()}.items() if value}
    command = shlex.join(sys.argv)
    return [f"command: {command}", *(f"{key}: {value}" for key, value in here.items())]
