"""Which replica should run a request: filter, score, pick.

A replica has room for a request when its sequences fit into the free slots, and what it is
expected to need of the KV cache fits beside what the running ones are expected to need, so
that vLLM never preempts. A request that is larger than any replica fits an idle one.

When more run than all replicas carry in time, what is too much goes where most are: else each has
its share of it, and all answers are late, where most could be in time.

A scorer maps candidates to numbers in [0, 1]; 1 is best. Scores are summed by weight.
Adding a signal means adding one function, never editing another.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from serve_app.core.request import Request

# Of what a replica carries in time, while what is too much runs elsewhere. It carries more while
# they come and go; here whoever leaves is followed at once.
SPARED = 0.75


class Replica(NamedTuple):  # made anew on every change: a frozen dataclass takes thrice as long
    """A replica as last heard of, corrected by what this gateway has sent since."""

    id: str
    slots: int  # sequences at most
    running: int  # sequences, over all gateways
    seen_at: float
    mine: int = 0  # of those, this gateway's
    part: int = 0  # sequences that this gateway may run, of the slots; 0 is all
    kv_tokens: int = 0  # what its KV cache holds; 0 is unknown
    reserved_tokens: int = 0  # what the running ones are expected to need, over all gateways
    prefill_most: int = 0  # prompt tokens that it is sent before it has read any; 0 is any number
    prefill_tokens: int = 0  # prompt tokens that it was sent and has not read yet
    kv_usage: float = 0.0
    carries: float = math.inf  # sequences with which its answers are in time; inf is unknown
    is_healthy: bool = True
    fits: int = 0  # sequences, whatever its first tokens allow; 0 is as many as slots

    @property
    def free(self) -> int:
        return max(0, self.slots - self.running)

    @property
    def free_tokens(self) -> int:
        return self.kv_tokens - self.reserved_tokens


def prefill_most(step_tokens: int, *, steps_ahead: int) -> int:
    """Prompt tokens that keep the steps of a replica full.

    They are those of one step, where an engine decides on a step once the one before it has ended.
    One that decides a step ahead needs two more: one runs and one is decided on while the first
    tokens of a third are on their way here.
    """
    return step_tokens * (1 + 2 * steps_ahead)


Scorer = Callable[[Request, Sequence[Replica]], Sequence[float]]


def free_slots(_request: Request, replicas: Sequence[Replica]) -> Sequence[float]:
    """The share that is free of what fits. Not of its slots: one that its first tokens limit to
    few of them would look fuller than one with ten times as many sequences and no limit."""
    return [max(0.0, 1 - r.running / (r.fits or r.slots)) for r in replicas]


def free_kv(_request: Request, replicas: Sequence[Replica]) -> Sequence[float]:
    """The share of a replica's KV cache that is neither used nor spoken for."""
    return [
        1.0 - max(r.kv_usage, r.reserved_tokens / r.kv_tokens if r.kv_tokens else 0.0)
        for r in replicas
    ]


@dataclass(frozen=True, slots=True)
class Routing:
    """Scorers and their weights, how old a report may be, how much of a replica stays free.

    The headrooms are for requests that `may_fill` a replica, which do not wait until somebody
    is done; that of the KV cache is for answers that get longer than expected, too.
    """

    weights: Mapping[Scorer, float] = field(default_factory=lambda: {free_slots: 2.0, free_kv: 1.0})
    stale_after_s: float = 3.0
    kv_headroom: float = 0.0
    slot_headroom: float = 0.02

    def usable(self, replicas: Iterable[Replica], *, now: float) -> list[Replica]:
        """The healthy ones. Stale ones are left out, unless all are: a guess beats an outage."""
        healthy = [r for r in replicas if r.is_healthy]
        return [r for r in healthy if now - r.seen_at <= self.stale_after_s] or healthy

    def is_open(self, replica: Replica, *, may_fill: bool = True) -> bool:
        """Whether it takes anything at all now.

        Prompts that it cannot read in its next step wait here, where the order is fair, and not
        in the engine, where whoever came first is first.
        """
        most = replica.prefill_most
        kept = 0 if may_fill else self._kept(replica)
        return replica.slots - replica.running > kept and (
            not most or replica.prefill_tokens < most
        )

    def is_over(self, replicas: Iterable[Replica]) -> bool:
        """Whether together they run more than they carry in time."""
        return math.fsum(r.running - r.carries for r in replicas) >= 0

    def pick(
        self,
        request: Request,
        replicas: Iterable[Replica],
        *,
        may_fill: bool = False,
        is_over: bool = False,
    ) -> Replica | None:
        """The best replica with room for `request`, where all together are over or not; None
        when there is none."""
        candidates = [r for r in replicas if self.has_room(request, r, may_fill=may_fill)]
        candidates = _spared(candidates) if is_over else candidates
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        totals = [0.0] * len(candidates)
        for scorer, weight in self.weights.items():
            for i, score in enumerate(scorer(request, candidates)):
                totals[i] += weight * score
        return max(zip(totals, candidates, strict=True))[1]  # of equal ones by id

    def has_room(self, request: Request, replica: Replica, *, may_fill: bool = False) -> bool:
        most = replica.slots if may_fill else replica.slots - self._kept(replica)
        # What is more than this gateway's part will ever be runs when nothing else of it does.
        is_alone = not replica.mine and 0 < replica.part < request.sequences
        if not is_alone and replica.running + min(request.sequences, most) > most:
            return False
        if not replica.running or not replica.kv_tokens:
            return True
        usage = 1.0 if may_fill else 1.0 - self.kv_headroom
        return (
            replica.reserved_tokens + request.tokens <= usage * replica.kv_tokens
            and replica.kv_usage <= usage
        )

    def _kept(self, replica: Replica) -> int:
        return int(self.slot_headroom * replica.slots)


def _spared(replicas: Sequence[Replica]) -> list[Replica]:
    """Those that stay in time with one more; the one with the most sequences if none does."""
    spared = [replica for replica in replicas if replica.running < SPARED * replica.carries]
    return spared or sorted(replicas, key=lambda replica: (replica.running, replica.id))[-1:]
