"""By how much the load may grow while a replica loads, learned from how it grew before.

What arrives in L seconds has to be foreseen, and the past hour says what is usual: the ratios

    peak of the load in [t + L, t + L + early]  ÷  load at t

for every t in it, where `early` is a fifth of L and `EARLY_S` at least. Their quantile `caution`
is the growth to be ready for, 1 at least. Until an hour is known, 1 + PRIOR × √L stands in for
what is missing of it: who walks at random goes as far as the root of the time.
"""

import math
from collections import deque

BUCKET_S = 5.0
EARLY_S = 30.0
EARLY = 0.2
HISTORY_S = 3600.0
RENEW_S = 30.0
PRIOR = 0.035
IDLE = 0.2  # replicas; from nothing everything grows without bounds
STRIDE = 2  # every second bucket begins a ratio: neighbours say the same


class Growth:
    """Of the load of one deployment, in replicas."""

    def __init__(self, caution: float) -> None:
        self._caution = caution
        self._levels: deque[float] = deque(maxlen=int(HISTORY_S / BUCKET_S))
        self._bucket_at = -math.inf
        self._renewed_at = -math.inf
        self._factor = 1.0

    def __repr__(self) -> str:
        return f"<Growth {self._factor:.2f} from {len(self._levels)} levels>"

    def add(self, level: float, *, now: float) -> None:
        """The load is so high."""
        if now - self._bucket_at >= BUCKET_S:
            self._bucket_at = now
            self._levels.append(level)

    def factor(self, load_s: float, *, now: float) -> float:
        """By which it may be higher, by the time that what is ordered now serves."""
        if now - self._renewed_at >= RENEW_S:
            self._renewed_at = now
            self._factor = self._quantile(load_s)
        return self._factor

    def _quantile(self, load_s: float) -> float:
        ratios = self._ratios(load_s)
        whole = HISTORY_S / BUCKET_S / STRIDE
        ratios += [1 + PRIOR * math.sqrt(load_s)] * max(1, math.ceil((whole - len(ratios)) / 2))
        ratios.sort()
        return max(1.0, ratios[min(len(ratios) - 1, int(self._caution * len(ratios)))])

    def _ratios(self, load_s: float) -> list[float]:
        levels = list(self._levels)
        ahead = max(1, round(load_s / BUCKET_S))
        early = round(max(EARLY_S, EARLY * load_s) / BUCKET_S)
        starts = range(0, len(levels) - ahead - early + 1, STRIDE)
        return [max(levels[t + ahead : t + ahead + early]) / max(levels[t], IDLE) for t in starts]
