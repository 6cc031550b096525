"""The speeds of an engine from measured points.

    a step that decodes n   = step(n)
    one that reads, too     = reading(tokens) + step(1) + beside × (step(n) - step(1)),
                              see `core.reading`
    one that only reads     = reading(tokens) + read_step_s
    TTFT of a prompt alone  = overhead_s + one that only reads

`step` and `reading` are straight lines between the medians that were measured. What reading takes
is seen by somebody who decodes meanwhile, and so has nothing of HTTP or of tokenising in it. What
is left of a prompt alone is engine as far as a step without sequences goes, and beyond that
overhead, which other requests do not wait for.

The points of one length, or of one number of sequences, are their median: a machine that did
something else for a moment is no property of the engine.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate

from serve_app.calibration.points import Decode, Prompt, Reading
from serve_app.core.curve import Steps, height
from serve_app.core.reading import reading_step_s

Point = tuple[float, float]

ALIKE = 1.05  # lengths whose points count as one: tokens are not always as many as asked for
LONGER = 1.1  # than a step of one; where those of many take less, they say nothing of `beside`


class CalibrationError(Exception):
    """Points through which no engine fits: one line, with what to do."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """The fitted part of a replica's rates; of the prefill, that of the fullest step."""

    prefill_tokens_per_s: float
    decode_steps: Steps
    reading: Steps
    beside: float = 1.0
    overhead_s: float = 0.0
    read_step_s: float = 0.0

    def ttft_s(self, tokens: float) -> float:
        """Of a prompt alone, in one step."""
        return self.overhead_s + self.read_step_s + self.read_s(tokens)

    def step_s(self, sequences: float) -> float:
        """One that only decodes."""
        return height(self.decode_steps, sequences)

    def read_s(self, tokens: float) -> float:
        """What so many tokens of prompts add to a step."""
        return height(self.reading, tokens)

    def reading_step_s(self, tokens: float, sequences: float) -> float:
        """One that reads so many tokens, and decodes so many sequences."""
        reading_s = self.read_s(tokens)
        return reading_step_s(reading_s, sequences, steps=self.decode_steps, beside=self.beside)


def fit(
    prompts: Iterable[Prompt], decodes: Iterable[Decode], readings: Iterable[Reading]
) -> Speeds:
    """Raises `CalibrationError` where the points are too few, or fall where they must rise."""
    steps, seen = _steps(decodes), list(readings)
    reading = _reading(seen, height(steps, 1))
    tokens, longest_s = reading[-1]
    speeds = Speeds(tokens / longest_s, steps, reading)
    rest_s = max(0.0, statistics.median(p.ttft_s - speeds.read_s(p.tokens) for p in prompts))
    read_step_s = min(rest_s, max(0.0, height(steps, 0)))
    return replace(
        speeds,
        beside=_beside(seen, speeds),
        overhead_s=rest_s - read_step_s,
        read_step_s=read_step_s,
    )


def _steps(decodes: Iterable[Decode]) -> Steps:
    found = rising((decode.sequences, decode.step_s) for decode in decodes)
    if len(found) < 2:
        raise CalibrationError(f"decode steps of two numbers of sequences: there are {len(found)}")
    if found[0][1] <= 0:
        raise CalibrationError("decode steps took no time at all: there is nothing to fit")
    return found


def _reading(readings: Iterable[Reading], alone_s: float) -> Steps:
    """What reading adds to a step that takes `alone_s`, from one token on."""
    took = rising((read.tokens, read.step_s - alone_s) for read in readings if read.decoding <= 1)
    found = tuple((tokens, took_s) for tokens, took_s in took if took_s > 0)
    if len(found) < 2:
        raise CalibrationError(
            f"steps that read two lengths are needed: there are {len(found)}; ask for longer "
            "answers (--output-tokens), beside which prompts are read"
        )
    if found[-1][1] <= found[0][1]:
        raise CalibrationError(
            "longer prompts did not take longer to be read: ask for longer ones "
            "(--input-tokens), or for more rounds (--rounds)"
        )
    return ((1, max(0.0, height(found, 1))), *found) if found[0][0] > 1 else found


def _beside(readings: Iterable[Reading], speeds: Speeds) -> float:
    """From 0 to 1; all of it where nothing was seen beside many."""
    alone_s = speeds.step_s(1)
    shares = [
        (read.step_s - alone_s - speeds.read_s(read.tokens)) / (many_s - alone_s)
        for read in readings
        if (many_s := speeds.step_s(read.decoding)) > LONGER * alone_s
    ]
    return min(1.0, max(0.0, statistics.median(shares))) if shares else 1.0


def rising(points: Iterable[Point]) -> Steps:
    """Medians, none lower than that of a smaller x."""
    found = medians(points)
    heights = accumulate((y for _, y in found), max)
    return tuple((round(x), y) for (x, _), y in zip(found, heights, strict=True))


def medians(points: Iterable[Point]) -> list[Point]:
    """One point for all of much the same x, in order.

    >>> medians([(20, 5.0), (10, 1.0), (10, 9.0), (10, 2.0)])
    [(10, 2.0), (20, 5.0)]
    """
    alike: list[list[Point]] = []
    for point in sorted(points):
        if not alike or point[0] > ALIKE * alike[-1][0][0]:
            alike.append([])
        alike[-1].append(point)
    columns = (zip(*group, strict=True) for group in alike)
    return [(statistics.median(xs), statistics.median(ys)) for xs, ys in columns]
