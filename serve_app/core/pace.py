"""How fast an engine decodes and how busy it is with prompts, from its steps.

    TPOT      sequence-seconds between tokens ÷ tokens, over the last `WINDOW_S`
    alone     the lowest TPOT of any bucket so far: of an engine that has little else to do
    reading   share of the window in which a step had a prompt to read

First tokens are no decoding: what goes before them is the prompt's. `core.answers` has what
its answers were like, one by one.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from serve_app.core.answers import Answers

WINDOW_S = 5.0
BUCKET_S = 0.5
LONGEST_BUCKET_S = (
    2.0  # for a sequence alone on a slow engine, of which half a second has few tokens
)
FEWEST_TOKENS = 8  # of a bucket that may be the fastest; one step can be short by chance


@dataclass(slots=True)
class _Bucket:
    began_at: float
    decoded: int = 0
    decoding_s: float = 0.0
    reading_s: float = 0.0

    @property
    def tpot_s(self) -> float:
        return self.decoding_s / self.decoded if self.decoded >= FEWEST_TOKENS else math.inf

    def is_whole(self, now: float) -> bool:
        age_s = now - self.began_at
        return age_s >= (BUCKET_S if self.decoded >= FEWEST_TOKENS else LONGEST_BUCKET_S)


class Timings(NamedTuple):
    """Of an engine, lately; what is unknown is 0."""

    tpot_s: float = 0.0
    alone_tpot_s: float = 0.0
    reading: float = 0.0
    slow_tpot_s: float = 0.0  # nineteen of twenty answers were at most so slow
    answers_per_s: float = 0.0  # that ended
    late: float = 0.0  # share of them whose tokens took more than `slowdown` times as long as alone


class Pace:
    """Steps and ends of answers go in, timings come out."""

    def __init__(self) -> None:
        self.answers = Answers()
        self._buckets: deque[_Bucket] = deque()
        self._fastest_s = math.inf

    def __repr__(self) -> str:
        return f"<Pace of {len(self._buckets)} buckets, {self.alone_tpot_s:.4f} s alone>"

    @property
    def alone_tpot_s(self) -> float:
        """0 until it is known."""
        return self._fastest_s if self._fastest_s < math.inf else 0.0

    def stepped(
        self, *, decoded: int, decoding_s: float, reading_s: float = 0.0, now: float
    ) -> None:
        """A step made so many tokens that are no first ones; each came so long after the one
        before it, `decoding_s` in all. It read prompts for `reading_s`."""
        if not self._buckets or self._buckets[-1].is_whole(now):
            if self._buckets:
                self._fastest_s = min(self._fastest_s, self._buckets[-1].tpot_s)
            self._buckets.append(_Bucket(now))
        bucket = self._buckets[-1]
        bucket.decoded += decoded
        bucket.decoding_s += decoding_s
        bucket.reading_s += reading_s
        self._forget(now)

    def timings(self, *, slowdown: float, now: float) -> Timings:
        answers, alone_s = self.answers, self.alone_tpot_s
        return Timings(
            tpot_s=self.tpot_s(now=now),
            alone_tpot_s=alone_s,
            reading=self.reading(now=now),
            slow_tpot_s=answers.slow_s(now=now),
            answers_per_s=answers.per_s(now=now),
            late=answers.late(slowdown * alone_s, now=now) if alone_s else 0.0,
        )

    def tpot_s(self, *, now: float) -> float:
        """0 where nothing was decoded."""
        self._forget(now)
        decoded = sum(bucket.decoded for bucket in self._buckets)
        return sum(bucket.decoding_s for bucket in self._buckets) / decoded if decoded else 0.0

    def reading(self, *, now: float) -> float:
        self._forget(now)
        return min(1.0, sum(bucket.reading_s for bucket in self._buckets) / WINDOW_S)

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0].began_at <= now - WINDOW_S:
            gone = self._buckets.popleft()
            self._fastest_s = min(self._fastest_s, gone.tpot_s)
