"""Kubernetes' HorizontalPodAutoscaler, behind its metric: how fast advice becomes replicas.

As `pkg/controller/podautoscaler/horizontal.go` does it, every `SYNC_S`: the advice is
stabilised (up no further than the lowest advice of the up window, down no further than the
highest of the down window), then the change is limited by what has changed within a period.
"""

import math
from collections import deque
from dataclasses import dataclass

SYNC_S = 15.0
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Behavior:
    """`spec.behavior`; these are Kubernetes' defaults."""

    up_window_s: float = 0.0
    up_pods: int = 4
    up_share: float = 1.0  # of what there was, if that is more
    up_period_s: float = 15.0
    down_window_s: float = 300.0
    down_pods: int | None = None  # any number
    down_period_s: float = 15.0


class Hpa:
    """One HPA; `replicas` is its answer to a metric's advice."""

    def __init__(self, behavior: Behavior) -> None:
        self._behavior = behavior
        self._advice: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()
        self._next_at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it looks at its metric now; says so once in `SYNC_S`."""
        if now < self._next_at:
            return False
        self._next_at = now + SYNC_S
        return True

    def replicas(self, advice: int, current: int, *, least: int, most: int, now: float) -> int:
        """What it sets, where a metric asks for `advice` and `current` are set."""
        if not self._advice:
            self._advice.append((now, current))  # so that a fresh one does not shrink at once
        wanted = min(most, max(least, self._stabilised(advice, current, now)))
        self._advice.append((now, advice))
        wanted = min(self._most_now(current, now), max(self._least_now(current, now), wanted))
        if wanted != current:
            self._changes.append((now, wanted - current))
        return wanted

    def _stabilised(self, advice: int, current: int, now: float) -> int:
        behavior = self._behavior
        longest_s = max(behavior.up_window_s, behavior.down_window_s)
        while self._advice and self._advice[0][0] <= now - longest_s:
            self._advice.popleft()
        ups = [n for at, n in self._advice if at > now - behavior.up_window_s]
        downs = [n for at, n in self._advice if at > now - behavior.down_window_s]
        return min(max(current, min([advice, *ups])), max([advice, *downs]))

    def _most_now(self, current: int, now: float) -> int:
        behavior = self._behavior
        before = current - self._changed(now, behavior.up_period_s)
        most = max(before + behavior.up_pods, math.ceil(before * (1 + behavior.up_share)))
        return max(current, most)

    def _least_now(self, current: int, now: float) -> int:
        behavior = self._behavior
        if behavior.down_pods is None:
            return 0
        before = current - self._changed(now, behavior.down_period_s)
        return min(current, before - behavior.down_pods)

    def _changed(self, now: float, period_s: float) -> int:
        """Replicas added within the last period, less those removed."""
        longest_s = max(self._behavior.up_period_s, self._behavior.down_period_s)
        while self._changes and self._changes[0][0] <= now - longest_s:
            self._changes.popleft()
        return sum(change for at, change in self._changes if at > now - period_s)
