"""ServeGen: a folder with two files for each client, from which its arrivals are drawn.

`chunk-N-trace.csv` has a line for each window of 600 s: start, requests per second,
coefficient of variation of the gaps, their distribution (Gamma or Weibull), and its shape
and scale. `chunk-N-dataset.json` has densities of the lengths for each 6 hours.

Every window has exactly as many arrivals as the file says. The gaps between them are
drawn; where they do not fill the window, because the client was active for a part of it,
that part begins at random, and where they are longer than it, all shrink. Each window of
each client has dice of its own, so that a part of the day is what it is in the whole day.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from serve_app.traces.errors import TraceError
from serve_app.traces.recorded import Recorded

WINDOW_S = 600.0
BLOCK_S = 21_600
_SHAPE = "start s, requests/s, CV, Gamma or Weibull, shape, scale"
_TRACES = "chunk-*-trace.csv"


class Window(NamedTuple):
    """How often a client asked in 600 s, and how unevenly."""

    start_s: float
    per_s: float
    kind: str
    shape: float
    scale: float

    @property
    def requests(self) -> int:
        return round(self.per_s * WINDOW_S)

    def arrivals_s(self, dice: random.Random) -> list[float]:
        """When, in order."""
        draw, first, second = dice.gammavariate, self.shape, self.scale
        if self.kind == "Weibull":
            draw, first, second = dice.weibullvariate, self.scale, self.shape
        gaps = [draw(first, second) for _ in range(self.requests - 1)]
        span = sum(gaps)
        shrink = 1.0
        if span > WINDOW_S:  # to what so many gaps take of a window on average
            shrink = WINDOW_S * len(gaps) / self.requests / span
        begin = self.start_s + dice.random() * (WINDOW_S - span * shrink)
        return [begin + at * shrink for at in accumulate(gaps, initial=0.0)]


class Density(NamedTuple):
    """Lengths, and how likely it is that one is at most so long."""

    lengths: list[int]
    cumulated: list[float]

    def draw(self, count: int, dice: random.Random) -> list[int]:
        return dice.choices(self.lengths, cum_weights=self.cumulated, k=count)


@dataclass(frozen=True)
class Client:
    """One tenant's windows by start, and its lengths by block of the day."""

    tenant: str
    windows: dict[float, Window]
    lengths: dict[int, tuple[Density, Density]]  # of prompt and answer

    def arrivals(self, start_s: float, seed: int) -> Iterator[Recorded]:
        """Those of the window that begins at `start_s`."""
        window = self.windows.get(start_s)
        if window is None:
            return iter(())
        dice = random.Random(f"{seed} {self.tenant} {start_s:g}")  # noqa: S311 - no secrets
        times = window.arrivals_s(dice)
        prompt, answer = self.lengths[int(start_s // BLOCK_S)]
        lengths = prompt.draw(len(times), dice), answer.draw(len(times), dice)
        made = zip(times, *lengths, strict=True)
        return (Recorded(at, asked, told, (), self.tenant) for at, asked, told in made)


@dataclass(frozen=True)
class ServeGen:
    """A folder's clients; what they ask is drawn when it is read, and is the same again."""

    name: str
    clients: Sequence[Client]
    seed: int = 0

    @cached_property
    def starts_s(self) -> list[float]:
        """Beginnings of all windows in which somebody asks."""
        return sorted({start for client in self.clients for start in client.windows})

    @property
    def seconds(self) -> float:
        return self.starts_s[-1] + WINDOW_S

    def between(self, from_s: float, until_s: float) -> Iterator[Recorded]:
        for start in self.starts_s:
            if from_s - WINDOW_S <= start < until_s:
                asked = chain.from_iterable(c.arrivals(start, self.seed) for c in self.clients)
                part = (request for request in asked if from_s <= request.at_s < until_s)
                yield from sorted(part, key=lambda request: request.at_s)


def read(folder: Path, *, seed: int = 0) -> ServeGen:
    """The clients in `folder`; raises `TraceError` for what is no such folder."""
    files = sorted(folder.glob(_TRACES), key=_number)
    if not files:
        raise TraceError(f"{folder} is no ServeGen trace: a folder with {_TRACES}")
    clients = [_client(file) for file in files]
    if not any(client.windows for client in clients):
        raise TraceError(f"{folder} holds no requests")
    return ServeGen(folder.name, clients, seed)


def _number(file: Path) -> tuple[int, str]:
    number = file.name.split("-")[1]
    return (int(number) if number.isdigit() else 0, file.name)


def _client(file: Path) -> Client:
    windows = {window.start_s: window for window in _windows(file)}
    lengths_file = file.with_name(file.name.replace("-trace.csv", "-dataset.json"))
    lengths = _lengths(lengths_file)
    for start in windows:
        if int(start // BLOCK_S) not in lengths:
            raise TraceError(f"{lengths_file} has no lengths for second {start:g}, when it asks")
    return Client(f"client-{file.name.split('-')[1]}", windows, lengths)


def _windows(file: Path) -> Iterator[Window]:
    for number, line in enumerate(_text(file).splitlines(), 1):
        try:
            start, per_s, _, kind, shape, scale = line.split(",")
            window = Window(float(start), float(per_s), kind, float(shape), float(scale))
            if window.requests:
                yield _checked(window)
        except (OverflowError, ValueError) as error:
            raise TraceError(f"{file}:{number} is no window ({error}): {_SHAPE}") from error


def _checked(window: Window) -> Window:
    if window.kind not in {"Gamma", "Weibull"}:
        raise ValueError(f"distribution {window.kind!r}")
    for number in (window.start_s, window.per_s, window.shape, window.scale):
        if not (number >= 0 and isfinite(number)):
            raise ValueError(f"{number} is below 0 or no number")
    if window.shape == 0 or window.scale == 0 or window.start_s % WINDOW_S:
        raise ValueError(f"shape or scale 0, or no start of a window of {WINDOW_S:g} s")
    return window


def _lengths(file: Path) -> dict[int, tuple[Density, Density]]:
    try:
        blocks = json.loads(_text(file))
        parts = {
            int(start) // BLOCK_S: (_density(of["input_tokens"]), _density(of["output_tokens"]))
            for start, of in blocks.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise TraceError(f"{file} has no densities of lengths by block ({what})") from error
    return {block: both for block, both in parts.items() if both[0].lengths and both[1].lengths}


def _density(text: str) -> Density:
    """Of `{value: probability, …}`, as text."""
    pairs = [pair.split(":") for pair in text.strip("{} ").split(",") if pair.strip()]
    known = sorted((int(value), float(share)) for value, share in pairs)
    return Density([value for value, _ in known], list(accumulate(share for _, share in known)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TraceError(f"{file} cannot be read: {error}") from error
