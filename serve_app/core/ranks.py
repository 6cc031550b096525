"""The numbers of the last few seconds, in their order."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque


class Ranks:
    """A sliding window. It stays in order, since it is asked far more often than a number comes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rows: deque[tuple[float, float]] = deque()
        self._ordered: list[float] = []

    def __repr__(self) -> str:
        return f"<Ranks of {self._seconds:g} s, {len(self._rows)} numbers>"

    def add(self, value: float, *, now: float) -> None:
        self._rows.append((now, value))
        insort(self._ordered, value)
        self._forget(now)

    def count(self, *, now: float) -> int:
        self._forget(now)
        return len(self._rows)

    def quantile(self, share: float, *, now: float) -> float:
        """The smallest that so many of them do not exceed; 0 where there is none."""
        self._forget(now)
        found = self._ordered
        return found[math.ceil(share * len(found)) - 1] if found else 0.0

    def above(self, limit: float, *, now: float) -> float:
        """The share of those that are larger; 0 where there is none."""
        self._forget(now)
        found = self._ordered
        return (len(found) - bisect_right(found, limit)) / len(found) if found else 0.0

    def _forget(self, now: float) -> None:
        rows = self._rows
        while rows and rows[0][0] <= now - self._seconds:
            _, value = rows.popleft()
            del self._ordered[bisect_left(self._ordered, value)]
