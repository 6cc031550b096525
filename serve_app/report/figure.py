"""Figures of several panels, as SVG text to stand inside a page."""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_PANEL_IN = (3.6, 2.8)


def grid(
    rows: int, columns: int, *, panel_in: tuple[float, float] = _PANEL_IN
) -> tuple[Figure, list[list[Axes]]]:
    """Its panels by row; each is so many inches wide and high."""
    width, height = panel_in
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in panels]


def svg(figure: Figure) -> str:
    """Text stays text, and nothing names the library's site or the clock."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "font.size": 9}):
        figure.savefig(file, format="svg", metadata=nothing)
    return file.getvalue()[file.getvalue().index("<svg") :]
