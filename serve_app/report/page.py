"""One HTML file: nothing is loaded, and whatever is text is escaped."""

import html as markup
from collections.abc import Iterable, Sequence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.doubts { background: #fff4d6; padding: .1em 1em; }
figure { margin: 1em 0; overflow-x: auto; }
code { overflow-wrap: anywhere; }
"""


_DOCUMENT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body>
{body}
</body>
</html>
"""


def document(title: str, body: Iterable[str]) -> str:
    """The whole file; `body` is HTML."""
    return _DOCUMENT.format(title=markup.escape(title), style=_STYLE, body="\n".join(body))


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{markup.escape(text)}</h{level}>"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, header first."""
    header, *others = rows
    lines = [_row("th", header), *(_row("td", row) for row in others)]
    return f"<table>{''.join(lines)}</table>"


def figure(svg: str) -> str:
    return f"<figure>{svg}</figure>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{markup.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def listed(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{markup.escape(line)}</li>" for line in lines) + "</ul>"
