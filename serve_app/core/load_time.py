"""How long a replica takes from its order to its first request, and when those ordered come.

What counts is what whoever ordered it waits for: a machine, the process and its imports, the
load, and Serve, which looks whether it is over. A policy sees all of that: it is one more that
is ordered then, and one more that serves now. What replicas say of their own start stands in
until one has come, as after a restart of Serve's controller.

A policy is of one deployment, so of one model. Where a replica will lie is not known when it is
ordered: where nodes are of two kinds, it is the time of those that were ordered lately.
"""

from collections import deque
from statistics import median_low

from serve_app.core.report import Load

REMEMBERED = 5  # the last ones, so that another kind of node is known after three


class LoadTime:
    """The median, since the first load of a node may have had a download in it or a compilation.

    Who was ordered first is taken to come first. When one that loads is called back, or one
    that served is gone, or some were ordered before the first look, nobody knows which order
    the next one came for: nothing is learned until all have come.
    """

    def __init__(self, guess_s: float) -> None:
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._orders: deque[float] = deque()  # when each replica that does not serve was ordered
        self._is_sure = False
        self._target = 0
        self._serving = 0
        self._looked_at: float | None = None
        self._load_s = guess_s

    def __repr__(self) -> str:
        return f"<LoadTime {self.load_s:.0f} s, {len(self._orders)} ordered>"

    @property
    def load_s(self) -> float:
        return self._load_s

    def saw(self, load: Load, *, now: float) -> None:
        """So many serve, and so many are ordered."""
        serving = len(load.replicas)
        self._note(load.target - self._target, serving - self._serving, now)
        self._settle(max(0, load.target - serving), now)
        self._target, self._serving, self._looked_at = load.target, serving, now
        said = [replica.load_s for replica in load.replicas if replica.load_s > 0]
        if self._took or said:
            self._load_s = median_low(self._took or said)

    def served_by(self, at: float, *, serving: int, now: float) -> float:
        """Replica-seconds of service up to then, by those that serve and those that come."""
        come = (max(0.0, at - max(now, ordered + self._load_s)) for ordered in self._orders)
        return serving * (at - now) + sum(come)

    def _note(self, more: int, came: int, now: float) -> None:
        """So many more are ordered than at the last look, and serve. Serve ordered right after
        that look: it asks before each order, but for the first replica, and then it does not
        ask until that one serves."""
        self._is_sure = self._is_sure and more >= 0 and came >= 0
        self._orders.extend([now if self._looked_at is None else self._looked_at] * more)
        for _ in range(min(came, len(self._orders))):
            ordered_at = self._orders.popleft()
            if self._is_sure:
                self._took.append(now - ordered_at)

    def _settle(self, missing: int, now: float) -> None:
        """Forget orders that were called back; one that is gone is ordered anew."""
        while len(self._orders) > missing:
            self._orders.pop()
        self._orders.extend([now] * (missing - len(self._orders)))
        self._is_sure = self._is_sure or not missing
