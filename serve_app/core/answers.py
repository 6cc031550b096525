"""How late the answers of an engine were: the time per token of those that ended lately.

The mean over tokens hides who was late: a long prompt stops whoever decodes beside it. So what
counts is each answer's own time per token, from its first to its last.
"""

import math
from collections import deque

WINDOW_S = 30.0
SLOW = 0.95  # of the answers are faster than what is called slow


class Answers:
    """Times go in as answers end."""

    def __init__(self) -> None:
        self._ended: deque[tuple[float, float]] = deque()  # when, and its time per token

    def __repr__(self) -> str:
        return f"<Answers {len(self._ended)} ended lately>"

    def ended(self, tpot_s: float, *, now: float) -> None:
        """One of two tokens at least."""
        self._ended.append((now, tpot_s))
        self._forget(now)

    def per_s(self, *, now: float) -> float:
        """How many end."""
        self._forget(now)
        return len(self._ended) / WINDOW_S

    def slow_s(self, *, now: float) -> float:
        """Nineteen of twenty were at most so slow; 0 if none ended."""
        self._forget(now)
        found = sorted(tpot_s for _, tpot_s in self._ended)
        return found[math.ceil(SLOW * len(found)) - 1] if found else 0.0

    def late(self, limit_s: float, *, now: float) -> float:
        """Share of those that were slower than that; 0 if none ended."""
        self._forget(now)
        late = sum(tpot_s > limit_s for _, tpot_s in self._ended)
        return late / len(self._ended) if late else 0.0

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0][0] <= now - WINDOW_S:
            self._ended.popleft()
