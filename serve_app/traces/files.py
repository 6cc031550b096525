"""Traces that are a file with a line for each request, told apart by what is in it."""

import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Literal

from serve_app.traces.errors import TraceError
from serve_app.traces.recorded import Recorded

Kind = Literal["mooncake", "azure"]
_SHAPES: dict[Kind, str] = {
    "mooncake": "JSON lines with timestamp, input_length and output_length",
    "azure": "CSV with TIMESTAMP, ContextTokens and GeneratedTokens",
}


@dataclass(frozen=True)
class FileTrace:
    """A file's requests; its beginning is the first of them."""

    name: str
    requests: tuple[Recorded, ...]

    @property
    def seconds(self) -> float:
        return self.requests[-1].at_s - self.requests[0].at_s

    def spread(self, seed: int) -> "FileTrace":
        """With a time of its own for each request: Mooncake's clock ticks every 3 s, and what it
        gives one time is drawn from the tick that begins there."""
        times = sorted({request.at_s for request in self.requests})
        gaps = sorted(after - before for before, after in pairwise(times))
        tick_s = gaps[len(gaps) // 2] if gaps else 0.0
        crowded = [at for at, count in Counter(r.at_s for r in self.requests).items() if count > 1]
        room = dict.fromkeys(crowded, tick_s)
        room |= {at: min(tick_s, to - at) for at, to in pairwise(times) if at in room}
        dice = random.Random(f"{seed} {self.name}")  # noqa: S311 - no secrets
        moved = (
            request._replace(at_s=request.at_s + dice.random() * room.get(request.at_s, 0.0))
            for request in self.requests
        )
        return FileTrace(self.name, tuple(sorted(moved, key=attrgetter("at_s"))))

    def between(self, from_s: float, until_s: float) -> Iterator[Recorded]:
        start = self.requests[0].at_s
        for request in self.requests:
            if from_s <= request.at_s - start < until_s:
                yield request._replace(at_s=request.at_s - start)


def read(file: Path, kind: Kind | None = None) -> FileTrace:
    """The trace in `file`, in order; raises `TraceError` for what is none of this kind."""
    requests = sorted(_requests(file, kind), key=attrgetter("at_s"))
    if not requests:
        raise TraceError(f"{file} holds no requests")
    return FileTrace(file.name, tuple(requests))


def _requests(file: Path, kind: Kind | None) -> Iterator[Recorded]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise TraceError(f"{file} cannot be read: {error}") from error
    kind = kind or ("mooncake" if lines and lines[0].startswith("{") else "azure")
    reading = _of_json if kind == "mooncake" else _of_csv_below(lines.pop(0) if lines else "")
    for number, line in enumerate(lines, 1 if kind == "mooncake" else 2):
        if line.strip():
            yield _read(line, reading, kind, f"{file}:{number}")


def _read(line: str, reading: Callable[[str], Recorded], kind: Kind, place: str) -> Recorded:
    try:
        return _checked(reading(line))
    except (AttributeError, KeyError, TypeError, ValueError, csv.Error) as error:
        what = f"{type(error).__name__}: {error}"
        raise TraceError(f"{place} is no trace ({what}): {_expected(kind)}") from error


def _checked(request: Recorded) -> Recorded:
    if min(request.input_tokens, request.output_tokens) < 0:
        raise ValueError("a length is below 0")
    return request


def _expected(kind: Kind) -> str:
    others = [f"{shape} (--format {name})" for name, shape in _SHAPES.items() if name != kind]
    return f"write {_SHAPES[kind]}, or {others[0]}"


def _of_json(line: str) -> Recorded:
    row = json.loads(line)
    blocks = tuple(int(block) for block in row.get("hash_ids", ()))
    return Recorded(
        row["timestamp"] / 1000, int(row["input_length"]), int(row["output_length"]), blocks
    )


def _of_csv_below(header: str) -> Callable[[str], Recorded]:
    names = _cells(header)

    def reading(line: str) -> Recorded:
        row = dict(zip(names, _cells(line), strict=False))
        lengths = int(row["ContextTokens"]), int(row["GeneratedTokens"])
        return Recorded(_seconds(row["TIMESTAMP"]), *lengths)

    return reading


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]), [])


def _seconds(time: str) -> float:
    """A date and time, or a number of seconds."""
    if time.replace(".", "", 1).isdigit():
        return float(time)
    moment = datetime.fromisoformat(time)
    # Without a zone it is UTC: the clocks of this machine's zone may jump in between.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
