"""The speeds of an engine from measured points.

    a step that decodes n   = step(n): straight lines between the medians that were measured
    one that reads, too     = step(n) + max(reading_s, tokens / prefill_tokens_per_s)
    one that only reads     = read_step_s + max(reading_s, tokens / prefill_tokens_per_s)
    TTFT of a prompt alone  = overhead_s + one that only reads

What reading takes is seen by somebody who decodes meanwhile, and so has nothing of HTTP or of
tokenising in it. A GPU computes while the next kernels are launched, so it is the longer of the
two: the launches of a short prompt, or the arithmetic of a long one or of many. Squares are of
relative errors, for what is wrong by a tenth is as wrong for a short prompt as for a long one. What
is left of a prompt alone is engine as far as a step without sequences goes, and beyond that
overhead, which other requests do not wait for.

The points of one length, or of one number of sequences, are their median first: a machine that did
something else for a moment is no property of the engine.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from serve_app.calibration.points import Decode, Prompt, Reading
from serve_app.core.curve import height

Point = tuple[float, float]


class CalibrationError(Exception):
    """Points through which no engine fits: one line, with what to do."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """The fitted part of a replica's rates."""

    prefill_tokens_per_s: float
    decode_steps: tuple[tuple[int, float], ...]
    overhead_s: float
    read_step_s: float
    reading_s: float

    def ttft_s(self, tokens: float) -> float:
        """Of a prompt alone, in one step."""
        return self.overhead_s + self.read_step_s + self.read_s(tokens)

    def step_s(self, sequences: float) -> float:
        """One that only decodes."""
        return height(self.decode_steps, sequences)

    def read_s(self, tokens: float) -> float:
        """What so many tokens of prompts add to a step."""
        return max(self.reading_s, tokens / self.prefill_tokens_per_s)

    def reading_step_s(self, tokens: float) -> float:
        """One that reads so many tokens, and decodes one sequence."""
        return self.step_s(1) + self.read_s(tokens)


def fit(
    prompts: Iterable[Prompt], decodes: Iterable[Decode], readings: Iterable[Reading]
) -> Speeds:
    """Raises `CalibrationError` where the points are too few, or fall where they must rise."""
    steps = rising((d.sequences, d.step_s) for d in decodes)
    took = _readings(readings, height(steps, 1))
    reading_s, per_token_s = bend(took)
    if took[-1][1] <= reading_s:
        raise CalibrationError(
            "longer prompts did not take longer to be read: ask for longer ones "
            "(--input-tokens), or for more rounds (--rounds)"
        )
    speeds = Speeds(1 / per_token_s, steps, 0.0, 0.0, reading_s)
    rest_s = max(0.0, statistics.median(p.ttft_s - speeds.read_s(p.tokens) for p in prompts))
    read_step_s = min(rest_s, max(0.0, height(steps, 0)))
    return replace(speeds, overhead_s=rest_s - read_step_s, read_step_s=read_step_s)


def _readings(readings: Iterable[Reading], alone_s: float) -> list[Point]:
    """What reading added to a step that takes `alone_s`: of each point the median of its length, so
    that a length that was seen once does not count as much as one that was seen often."""
    took = sorted((read.tokens, read.step_s - alone_s) for read in readings)
    middle = dict(medians(took))
    return [(tokens, middle[tokens]) for tokens, _ in took if middle[tokens] > 0]


def rising(points: Iterable[Point]) -> tuple[tuple[int, float], ...]:
    """Medians, none lower than that of fewer sequences."""
    found = medians(points)
    if len(found) < 2:
        raise CalibrationError(f"decode steps of two numbers of sequences: there are {len(found)}")
    if found[0][1] <= 0:
        raise CalibrationError("decode steps took no time at all: there is nothing to fit")
    heights = accumulate((y for _, y in found), max)
    return tuple((int(x), y) for (x, _), y in zip(found, heights, strict=True))


def medians(points: Iterable[Point]) -> list[Point]:
    """One point for each x, in order.

    >>> medians([(2, 5.0), (1, 1.0), (1, 9.0), (1, 2.0)])
    [(1, 2.0), (2, 5.0)]
    """
    by_x: defaultdict[float, list[float]] = defaultdict(list)
    for x, y in points:
        by_x[x].append(y)
    return [(x, statistics.median(ys)) for x, ys in sorted(by_x.items())]


def bend(points: Sequence[Point]) -> Point:
    """`a` and `b` of max(a, b x), for points in order of x and y > 0: the first of them are as high
    as `a`, the others on a line through 0."""
    if len(points) < 2:
        raise CalibrationError(
            f"two steps that read are needed: there are {len(points)}; ask for longer answers "
            "(--output-tokens), beside which prompts are read"
        )
    bends = [_bend(points, first) for first in range(len(points))]
    return min(bends, key=lambda found: _squares(points, *found))


def _bend(points: Sequence[Point], first: int) -> Point:
    """With so many points that are as high as the first: least squares of (fitted ÷ y - 1)."""
    flat, rest = points[:first], points[first:]
    level = sum(1 / y for _, y in flat) / sum(y**-2 for _, y in flat) if flat else 0.0
    return level, sum(x / y for x, y in rest) / sum((x / y) ** 2 for x, y in rest)


def _squares(points: Sequence[Point], level: float, slope: float) -> float:
    return sum((max(level, slope * x) / y - 1) ** 2 for x, y in points)
