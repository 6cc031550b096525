"""The cheapest schedules that windows' misses allow.

One n per window is chosen so that

    Σ n × window + price × (replicas added at its beginning) + λ × misses

is least: by dynamic programming, exact for a λ; and λ is the least with which the misses of all
windows together stay within what is allowed. The price is what a replica costs while it loads,
or more: a fleet that changes less often misses less than its windows say, which know nothing of
each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from serve_app.sim.scaling.fleet import Schedule
from serve_app.sim.scaling.oracle import Misses, Window

_MOST_WEIGHT = 1e5  # replica-seconds for a miss
_LEAST_WEIGHT = 1e-2
_CLOSE = 1.001  # λ is found to this factor


@dataclass(frozen=True, slots=True)
class Table:
    """The windows of a trace, and what each misses with so many replicas."""

    windows: Sequence[Window]
    misses: Sequence[Misses]

    def schedule(self, price_s: float, allowed: float) -> Schedule:
        """With at most `allowed` misses in all, or as few as there can be."""
        low, high = _LEAST_WEIGHT, _MOST_WEIGHT
        best = self.cheapest(price_s, high)
        while high / low > _CLOSE:
            weight = (low * high) ** 0.5
            chosen = self.cheapest(price_s, weight)
            if self._missed(chosen) <= allowed:
                best, high = chosen, weight
            else:
                low = weight
        return [(window.at_s, n) for window, n in zip(self.windows, best, strict=True)]

    def _missed(self, chosen: Sequence[int]) -> int:
        return sum(missed[n] for missed, n in zip(self.misses, chosen, strict=True))

    def cheapest(self, price_s: float, weight: float) -> list[int]:
        """Replicas by window; `weight` is λ, in replica-seconds per miss."""
        counts = sorted(self.misses[0])
        costs = dict.fromkeys(counts, 0.0)
        origins = []
        for window, missed in zip(self.windows, self.misses, strict=True):
            origin = _origins(costs, counts, price_s)
            before = {n: costs[b] + price_s * max(0, n - b) for n, b in origin.items()}
            costs = {n: before[n] + n * window.seconds + weight * missed[n] for n in counts}
            origins.append(origin)
        chosen = [min(counts, key=costs.__getitem__)]
        for origin in reversed(origins[1:]):
            chosen.append(origin[chosen[-1]])
        return chosen[::-1]


def _origins(costs: Mapping[int, float], counts: Sequence[int], price_s: float) -> dict[int, int]:
    """For each n, from how many it is reached at the least cost: from fewer, or from more."""

    def risen(a: int, b: int) -> int:
        return a if costs[a] - price_s * a <= costs[b] - price_s * b else b

    def fallen(a: int, b: int) -> int:
        return a if costs[a] <= costs[b] else b

    ups, downs = accumulate(counts, risen), [*accumulate(counts[::-1], fallen)][::-1]
    return {
        n: up if costs[up] + price_s * (n - up) < costs[down] else down
        for n, up, down in zip(counts, ups, downs, strict=True)
    }
