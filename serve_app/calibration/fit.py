"""The speeds of an engine from measured points, by least squares.

    TTFT of a prompt alone  = overhead_s + read_step_s + tokens / prefill_tokens_per_s
    a decode step           = decode_step_s + (sequences - 1) * decode_step_per_seq_s

Both are lines. Squares are of relative errors, for what is wrong by a tenth is as wrong for
a short prompt as for a long one. The points of one length, or of one number of sequences, are
their median first: a machine that did something else for a moment is no property of the engine.

A prompt alone does not tell what of its intercept is engine (a step costs something before its
first token: kernels are launched, weights are read) and what is not (HTTP, tokenising). A step
that decodes one sequence is nearly all fixed cost, so a step that reads is taken to have as much
of it, and the rest of the intercept is overhead, which other requests do not wait for.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serve_app.calibration.points import Decode, Prompt

Point = tuple[float, float]


class CalibrationError(Exception):
    """Points through which no engine fits: one line, with what to do."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """The fitted part of a replica's rates."""

    prefill_tokens_per_s: float
    decode_step_s: float
    decode_step_per_seq_s: float
    overhead_s: float
    read_step_s: float

    def ttft_s(self, tokens: float) -> float:
        """Of a prompt alone, in one step."""
        return self.overhead_s + self.read_step_s + tokens / self.prefill_tokens_per_s

    def step_s(self, sequences: float) -> float:
        return self.decode_step_s + (sequences - 1) * self.decode_step_per_seq_s


def fit(prompts: Iterable[Prompt], decodes: Iterable[Decode]) -> Speeds:
    """Raises `CalibrationError` where the points are too few, or fall where they must rise."""
    alone_s, per_token_s = line(medians((p.tokens, p.ttft_s) for p in prompts), "prompts")
    if per_token_s <= 0:
        raise CalibrationError(
            "longer prompts did not take longer to their first token: ask for longer ones "
            "(--input-tokens), or for more rounds (--rounds)"
        )
    step_s, per_seq_s = line(medians((d.sequences - 1, d.step_s) for d in decodes), "decode steps")
    fixed_s = max(0.0, alone_s)
    read_step_s = min(fixed_s, max(0.0, step_s - per_seq_s))
    return Speeds(
        prefill_tokens_per_s=1 / per_token_s,
        decode_step_s=step_s,
        decode_step_per_seq_s=max(0.0, per_seq_s),
        overhead_s=fixed_s - read_step_s,
        read_step_s=read_step_s,
    )


def medians(points: Iterable[Point]) -> list[Point]:
    """One point for each x, in order.

    >>> medians([(2, 5.0), (1, 1.0), (1, 9.0), (1, 2.0)])
    [(1, 2.0), (2, 5.0)]
    """
    by_x: defaultdict[float, list[float]] = defaultdict(list)
    for x, y in points:
        by_x[x].append(y)
    return [(x, statistics.median(ys)) for x, ys in sorted(by_x.items())]


def line(points: Sequence[Point], what: str) -> Point:
    """Intercept and slope, weighted by 1/y²."""
    if len(points) < 2:
        raise CalibrationError(f"a line through {what} takes two of them: there are {len(points)}")
    if min(y for _, y in points) <= 0:
        raise CalibrationError(f"{what} took no time at all: there is nothing to fit")
    weights = [y**-2 for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    both = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    slope = both / spread
    return mean_y - slope * mean_x, slope
