"""Which replica should run a request: filter, score, pick.

A scorer maps candidates to numbers in [0, 1]; 1 is best. Scores are summed by weight.
Adding a signal means adding one function, never editing another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from serve_app.core.request import Request


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica as last heard of, corrected by what this gateway has sent since."""

    id: str
    slots: int
    running: int  # sequences, over all gateways
    seen_at: float
    kv_usage: float = 0.0
    is_healthy: bool = True

    @property
    def free(self) -> int:
        return max(0, self.slots - self.running)


Scorer = Callable[[Request, Sequence[Replica]], Sequence[float]]


def free_slots(_request: Request, replicas: Sequence[Replica]) -> Sequence[float]:
    """The share of a replica's slots that is free."""
    return [replica.free / replica.slots for replica in replicas]


def free_kv(_request: Request, replicas: Sequence[Replica]) -> Sequence[float]:
    return [1.0 - replica.kv_usage for replica in replicas]


@dataclass(frozen=True, slots=True)
class Routing:
    """Scorers and their weights, and how old a report may be."""

    weights: Mapping[Scorer, float] = field(default_factory=lambda: {free_slots: 2.0, free_kv: 1.0})
    stale_after_s: float = 3.0

    def pick(self, request: Request, replicas: Sequence[Replica], *, now: float) -> Replica | None:
        """The best replica with room for `request`; None when there is none.

        A request that is larger than any replica fits an idle one. Stale replicas are left
        out, unless all are stale: a guess beats an outage.
        """
        candidates = [r for r in self._fresh(replicas, now) if _has_room(request, r)]
        if not candidates:
            return None
        totals = [0.0] * len(candidates)
        for scorer, weight in self.weights.items():
            for i, score in enumerate(scorer(request, candidates)):
                totals[i] += weight * score
        return max(zip(totals, candidates, strict=True), key=lambda pair: (pair[0], pair[1].id))[1]

    def _fresh(self, replicas: Sequence[Replica], now: float) -> Sequence[Replica]:
        healthy = [r for r in replicas if r.is_healthy]
        return [r for r in healthy if now - r.seen_at <= self.stale_after_s] or healthy


def _has_room(request: Request, replica: Replica) -> bool:
    return replica.free >= min(request.sequences, replica.slots)
