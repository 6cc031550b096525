"""A clock that jumps from one event to the next."""

import heapq
import itertools
from collections.abc import Callable


class Clock:
    """Events by time; those of the same time in the order in which they were set."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def __repr__(self) -> str:
        return f"<Clock {self.now:.3f} s, {len(self._events)} events ahead>"

    def at(self, time_s: float, event: Callable[[], None]) -> None:
        """Let `event` happen at `time_s`, or now if that is over."""
        heapq.heappush(self._events, (max(time_s, self.now), next(self._order), event))

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self.at(self.now + seconds, event)

    def every(self, seconds: float, event: Callable[[], None]) -> None:
        """Let `event` happen now, and again and again."""

        def tick() -> None:
            event()
            self.after(seconds, tick)

        self.at(self.now, tick)

    def run(self, *, until_s: float) -> None:
        """Let everything happen that is due before `until_s`."""
        while self._events and self._events[0][0] < until_s:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until_s
