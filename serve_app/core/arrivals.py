"""How many tokens arrive per second, as of lately."""

from collections import deque

WINDOW_S = 10.0
BUCKET_S = 1.0


class ArrivalRate:
    """A sliding window of buckets; what fell out of it is forgotten."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._buckets: deque[tuple[float, float]] = deque()  # from when on, tokens
        self._since: float | None = None
        self._tokens = 0.0

    def __repr__(self) -> str:
        return f"<ArrivalRate {self._tokens:.0f} tokens in the window>"

    def add(self, tokens: float, *, now: float) -> None:
        if self._since is None:
            self._since = now
        if not self._buckets or now - self._buckets[-1][0] >= BUCKET_S:
            self._buckets.append((now, 0.0))
        began_at, held = self._buckets[-1]
        self._buckets[-1] = began_at, held + tokens
        self._tokens += tokens

    def per_s(self, *, now: float) -> float:
        """Tokens per second over the window, or since the first of them if that is shorter."""
        while self._buckets and self._buckets[0][0] <= now - self._window_s:
            self._tokens -= self._buckets.popleft()[1]
        if self._since is None:
            return 0.0
        return max(0.0, self._tokens) / min(self._window_s, max(BUCKET_S, now - self._since))
