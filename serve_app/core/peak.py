"""The highest of the numbers of a while."""

from collections import deque


class Peak:
    """Of numbers as they come; over how long is asked for, and what is older is forgotten."""

    def __init__(self) -> None:
        self._falling: deque[tuple[float, float]] = deque()  # whoever is higher and later counts

    def __repr__(self) -> str:
        return f"<Peak of {len(self._falling)} numbers>"

    def add(self, value: float, *, now: float) -> None:
        while self._falling and self._falling[-1][1] <= value:
            self._falling.pop()
        self._falling.append((now, value))

    def over(self, seconds: float, *, now: float) -> float:
        """0 where there is none."""
        while self._falling and self._falling[0][0] <= now - seconds:
            self._falling.popleft()
        return self._falling[0][1] if self._falling else 0.0
