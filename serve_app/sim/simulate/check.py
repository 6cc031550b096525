"""`serve-app simulate --check FILE`: what a calibration's rates make of loads that were measured
and not used for the fit."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from serve_app.calibration.document import loads_of
from serve_app.calibration.points import Load
from serve_app.calibration.words import speeds
from serve_app.checking.question import QuestionError
from serve_app.report.grid import drawn
from serve_app.sim.scaling.compare import BOUND, Row, compare
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.simulate.calibrated import calibrated

HEAD = ("load", "number", "measured", "model", "error")


def check(file: Path) -> str:
    """The table, and a warning for each number that is too far off; kept in `file` too."""
    rates = calibrated(file, "--check")
    rows = compare(_loads(file), rates)
    _keep(file, rows)
    return report(rows, rates)


def report(rows: Sequence[Row], rates: Rates) -> str:
    grid = [list(column) for column in zip(HEAD, *map(_written, rows), strict=True)]
    return "\n".join((speeds(rates), "", drawn(grid), *_warnings(rows))) + "\n"


def _written(row: Row) -> tuple[str, ...]:
    is_rate = row.number.startswith("tokens/s")
    scale, digits = (1.0, 1) if is_rate else (1e3, 1)
    numbers = (f"{number * scale:.{digits}f}" for number in (row.measured, row.model))
    title = row.number if is_rate else f"{row.number} ms"
    return (row.load, title, *numbers, f"{row.error:+.1%}")


def _warnings(rows: Sequence[Row]) -> Iterator[str]:
    off = [row for row in rows if row.is_off]
    for row in off:
        yield f"warning: {row.load}: {row.number} is off by {row.error:+.1%}, more than {BOUND:.0%}"
    if not off:
        yield f"TTFT p50, TTFT p95 and tokens/s are within {BOUND:.0%}"


def _loads(file: Path) -> list[Load]:
    try:
        loads = loads_of(json.loads(file.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        loads, what = [], f" ({type(error).__name__}: {error})"
    else:
        what = ""
    if not loads:
        raise QuestionError(
            f"--check {file}: it has no loads that were measured{what}; serve-app bench "
            "--calibrate writes them"
        )
    return loads


def _keep(file: Path, rows: Sequence[Row]) -> None:
    whole = json.loads(file.read_text(encoding="utf-8"))
    whole["check"] = [{**asdict(row), "error": row.error} for row in rows]
    file.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
