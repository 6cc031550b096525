"""How late the answers of an engine were: the time per token of those that ended lately.

The mean over tokens hides who was late: a long prompt stops whoever decodes beside it. So what
counts is each answer's own time per token, from its first to its last.
"""

from serve_app.core.ranks import Ranks

WINDOW_S = 30.0
SLOW = 0.95  # of the answers are faster than what is called slow


class Answers:
    """Times go in as answers end."""

    def __init__(self) -> None:
        self._ended = Ranks(WINDOW_S)  # the time per token of each

    def __repr__(self) -> str:
        return f"<Answers {self._ended!r}>"

    def ended(self, tpot_s: float, *, now: float) -> None:
        """One of two tokens at least."""
        self._ended.add(tpot_s, now=now)

    def per_s(self, *, now: float) -> float:
        """How many end."""
        return self._ended.count(now=now) / WINDOW_S

    def slow_s(self, *, now: float) -> float:
        """Nineteen of twenty were at most so slow; 0 if none ended."""
        return self._ended.quantile(SLOW, now=now)

    def late(self, limit_s: float, *, now: float) -> float:
        """Share of those that were slower than that; 0 if none ended."""
        return self._ended.above(limit_s, now=now)
