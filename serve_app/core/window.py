"""Numbers of the last few seconds."""

from collections import deque


class Window:
    """A sliding window; what is older than `seconds` is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self._values: deque[float] = deque()

    def __repr__(self) -> str:
        return f"<Window of {self._seconds:g} s, {len(self._values)} numbers>"

    def add(self, value: float, *, now: float) -> None:
        self._times.append(now)
        self._values.append(value)
        while self._times[0] <= now - self._seconds:
            self._times.popleft()
            self._values.popleft()

    def mean(self) -> float:
        """0 when it is empty."""
        return sum(self._values) / len(self._values) if self._values else 0.0
