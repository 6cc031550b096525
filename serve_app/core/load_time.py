"""How long a replica takes from its order to its first request, and when those ordered come."""

from collections import deque
from statistics import median_low

from serve_app.core.report import Load


class LoadTime:
    """Learned from what replicas say of themselves, so that it outlives a restart; the median,
    since the first load of a node may have had a download in it or a compilation."""

    def __init__(self, guess_s: float) -> None:
        self._guess_s = guess_s
        self._known_s = 0.0
        self._orders: deque[float] = deque()  # when each replica that does not serve was ordered
        self._load_s = guess_s

    def __repr__(self) -> str:
        return f"<LoadTime {self.load_s:.0f} s, {len(self._orders)} ordered>"

    @property
    def load_s(self) -> float:
        return self._load_s

    def saw(self, load: Load, *, now: float) -> None:
        """So many serve, and so many are ordered."""
        known = [replica.load_s for replica in load.replicas if replica.load_s > 0]
        if known:
            self._load_s = median_low(known)
        missing = max(0, load.target - len(load.replicas))
        while len(self._orders) > missing:
            self._orders.popleft()
        while len(self._orders) < missing:
            self._orders.append(now)

    def served_by(self, at: float, *, serving: int, now: float) -> float:
        """Replica-seconds of service up to then, by those that serve and those that come."""
        come = (max(0.0, at - max(now, ordered + self._load_s)) for ordered in self._orders)
        return serving * (at - now) + sum(come)
