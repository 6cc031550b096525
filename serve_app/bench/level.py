"""How much load: requests kept in flight, requests per second, or a trace's own arrivals.

Kept in flight (closed loop), a slow target is asked less, as a fixed number of users
would. At a rate (open loop, Poisson), requests come whether or not others are done, as
the world's do. Both are worth knowing.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serve_app.bench.ask import Ask
from serve_app.bench.errors import BenchError
from serve_app.checking.question import positive

Kind = Literal["concurrency", "rate", "speed-up"]
_TITLES = {"concurrency": "concurrency {:g}", "rate": "{:g} requests/s", "speed-up": "trace ×{:g}"}


@dataclass(frozen=True, slots=True)
class Level:
    """`value` is in requests, in requests per second, or a factor on the trace's clock."""

    kind: Kind
    value: float

    @classmethod
    def parse(cls, kind: Kind, text: str) -> tuple["Level", ...]:
        """`1,8,32` as three levels; a concurrency is a whole number."""
        values = [positive(part, f"--{kind}") for part in text.split(",")]
        if kind == "concurrency" and any(value % 1 for value in values):
            raise BenchError(f"--concurrency {text}: requests in flight are whole numbers")
        return tuple(cls(kind, value) for value in dict.fromkeys(values))

    @property
    def concurrency(self) -> int | None:
        """Requests kept in flight; None where arrivals have times of their own."""
        return int(self.value) if self.kind == "concurrency" else None

    @property
    def requests(self) -> int:
        """How many are sent unless the user says: four for each one in flight."""
        return max(16, 4 * self.concurrency) if self.concurrency else 64

    @property
    def warm_up(self) -> int:
        """How many are sent before, to open connections and compile what is compiled late."""
        return self.concurrency or 8

    def arrivals_s(self, asks: Sequence[Ask], dice: random.Random) -> list[float]:
        """Seconds from the start at which each request is sent, for levels with times.

        A Poisson process of which the number of arrivals is known is uniform in time, so
        that every round offers exactly the rate that was asked for.
        """
        if self.kind == "speed-up":
            return [(ask.at_s - asks[0].at_s) / self.value for ask in asks]
        return sorted(dice.uniform(0, len(asks) / self.value) for _ in asks)

    def __str__(self) -> str:
        return _TITLES[self.kind].format(self.value)
