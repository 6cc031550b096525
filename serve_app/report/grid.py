"""A table as Markdown that reads as well unrendered."""

from collections.abc import Iterable, Sequence

Column = list[str]


def drawn(table: Sequence[Column]) -> str:
    """Columns, header first; the first one holds the labels."""
    widths = [max(map(len, column)) for column in table]
    header, *rows = zip(*table, strict=True)
    rule = "|" + "|".join(
        "-" * (width + 1) + ("-" if index == 0 else ":") for index, width in enumerate(widths)
    )
    return "\n".join([_line(header, widths), f"{rule}|", *(_line(row, widths) for row in rows)])


def _line(cells: Iterable[str], widths: list[int]) -> str:
    label, *numbers = zip(cells, widths, strict=True)
    aligned = [label[0].ljust(label[1]), *(cell.rjust(width) for cell, width in numbers)]
    return f"| {' | '.join(aligned)} |"
