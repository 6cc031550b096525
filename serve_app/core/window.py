"""Numbers of the last few seconds."""

from collections import deque


class Window:
    """A sliding window; what is older than `seconds` is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rows: deque[tuple[float, float]] = deque()

    def __repr__(self) -> str:
        return f"<Window of {self._seconds:g} s, {len(self._rows)} numbers>"

    def add(self, value: float, *, now: float) -> None:
        self._rows.append((now, value))
        while self._rows[0][0] <= now - self._seconds:
            self._rows.popleft()

    def mean(self) -> float:
        """0 when it is empty."""
        return sum(value for _, value in self._rows) / len(self._rows) if self._rows else 0.0
