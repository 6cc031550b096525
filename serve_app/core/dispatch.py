"""Waiting requests × free slots → assignments.

One synchronous method decides, `assign`; it is called on every arrival, finish, replica
change and tick, and returns what there is to do. The caller does it. State is two
collections: the queue, and what runs where.

A request moves WAITING → RUNNING → gone (`release`), or WAITING → gone (evicted or
withdrawn). There is no other way.

A request that fits nowhere claims the replica with the most free KV cache: until it fits,
nobody overtakes it there and none of its tenant anywhere, while others go on elsewhere. So a
long prompt is not starved by short ones.
"""

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from serve_app.core.arrivals import ArrivalRate
from serve_app.core.fleet import Fleet, Load
from serve_app.core.queue import WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.core.tenant import Priority

DRAIN_WINDOW_S = 30.0
LONGEST_RETRY_AFTER_S = 60.0
MOST_CLAIMS = 4  # at a time; each is a look at every tenant and replica
# Not all that run get to their last token at once, so what others have not written yet makes
# up for what one writes beyond its forecast.
SLACK = 0.1


class Assignment(NamedTuple):
    request: Request
    replica_id: str


class Step(NamedTuple):
    """What one call of `assign` decided."""

    assignments: tuple[Assignment, ...]
    evictions: tuple[Request, ...]


class Place(NamedTuple):
    """Where a request stands when it begins to wait; 0 is next. `wait_s` is a guess from the
    rate at which the queue has drained lately, None when it has not."""

    position: int
    wait_s: float | None


@dataclass(slots=True)
class _Running:
    """A request that runs, and what it is counted as on its replica."""

    assignment: Assignment
    started_at: float
    load: Load
    ttft_s: float | None = None


class Dispatcher:
    """The queue of one model, its replicas, and the requests that this gateway runs on them."""

    def __init__(self, queue: WaitingQueue, routing: Routing, *, ttft_target_s: float) -> None:
        self.queue = queue
        self.routing = routing
        self.arrivals = ArrivalRate()  # in tokens, of whoever asks for a place, refused or not
        self.ttft_target_s = ttft_target_s
        self._fleet = Fleet()
        self._running: dict[str, _Running] = {}
        self._dispatched_at: deque[float] = deque()

    def __repr__(self) -> str:
        replicas = len(self._fleet)
        return f"<Dispatcher {len(self.queue)} waiting, {len(self._running)} running on {replicas}>"

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def replicas(self) -> list[Replica]:
        """Snapshots in which what this gateway has in flight is counted as of now, and no
        replica has more slots than its first tokens allow."""
        return self._fleet.replicas()

    def observe(self, replicas: Iterable[Replica]) -> None:
        """Take fresh reports; `running` and `reserved_tokens` are of *other* gateways."""
        self._fleet.observe(replicas, ttft_target_s=self.ttft_target_s)

    def retain(self, replica_ids: AbstractSet[str]) -> None:
        """Forget replicas that are no longer in service; what runs on them may still finish."""
        self._fleet.retain(replica_ids)

    def lose(self, replica_id: str) -> None:
        """A call to this replica failed: send it nothing until it is heard of again. A change
        like any other: `assign` follows, since silent replicas may be usable from now on."""
        self._fleet.lose(replica_id)

    def submit(self, request: Request, *, now: float, again: bool = False) -> Place:
        """Let `request` wait; raises `QueueFull`, but not of one that waits `again`, since the
        replica that it ran on was lost."""
        if not again:
            self.arrivals.add(request.tokens, now=now)
        per_s = self.drained_per_s(now=now)
        self.queue.push(request, retry_after_s=None if again else self._drained_in_s(per_s))
        position = self.queue.ahead_of(request)
        return Place(position, (position + 1) / per_s if per_s else None)

    def withdraw(self, request_id: str) -> None:
        """The client left while the request waited; nothing happens if it did not wait."""
        self.queue.discard(request_id)

    def release(
        self, request_id: str, *, cost: float | None = None, uncached_tokens: int | None = None
    ) -> None:
        """A running request ended, whatever its outcome, and did cost that much; None is what
        was expected. So much of its prompt was not in the prefix cache, if that is known.
        Idempotent."""
        running = self._running.pop(request_id, None)
        if running is not None:
            if running.ttft_s is not None and uncached_tokens is not None:
                self._fleet.prefilled(
                    running.assignment.replica_id, running.ttft_s, uncached_tokens=uncached_tokens
                )
            self._fleet.count(running.assignment.replica_id, running.load, sign=-1)
            self.queue.settle(running.assignment.request, cost)

    def heard_first_token(self, request_id: str, *, now: float) -> None:
        """The answer of a running request begins: its prompt is read, and its replica's limit
        learns from how long that took. Says nothing where an answer comes in one piece."""
        running = self._running.get(request_id)
        if running is None or not running.assignment.request.streams:
            return
        self._count_more(running, prefill_tokens=-running.load.prefill_tokens)
        running.ttft_s = now - running.started_at
        self._fleet.heard_first_token(
            running.assignment.replica_id,
            running.ttft_s,
            prompt_tokens=running.assignment.request.prompt_tokens,
            now=now,
        )

    def grown(self, request_id: str, tokens: int) -> None:
        """A running request needs `tokens` of KV cache by now. Where that is more than was set
        aside for it, `SLACK` of its output is set aside on top, and its tenant pays."""
        running = self._running.get(request_id)
        if running is not None and tokens > running.load.reserved_tokens:
            written = tokens - running.assignment.request.prompt_tokens
            wanted = tokens + max(1, int(SLACK * written))
            self._count_more(running, reserved_tokens=wanted - running.load.reserved_tokens)
            self.queue.outgrown(running.assignment.request, written)

    def assign(self, *, now: float) -> Step:
        """Evict what is late, then give whoever is next a slot until none is free."""
        evictions = tuple(self.queue.evict(now=now))
        usable = self.routing.usable(self.replicas, now=now) if len(self.queue) else ()
        is_over = self.routing.is_over(usable)
        open_ = {replica.id: replica for replica in usable if self.routing.is_open(replica)}
        held: set[tuple[Priority, str]] = set()
        assignments = []
        while open_ and (request := self.queue.first(held)) is not None:
            may_fill = self.queue.may_use_headroom(request)
            replica = self.routing.pick(request, open_.values(), may_fill=may_fill, is_over=is_over)
            if replica is None:
                if len(held) == MOST_CLAIMS:
                    break
                held.add((request.priority, request.tenant))
                del open_[max(open_.values(), key=lambda r: (r.free_tokens, r.free, r.id)).id]
                if not may_fill:
                    open_ = {
                        i: r for i, r in open_.items() if self.routing.is_open(r, may_fill=False)
                    }
                continue
            assignments.append(self._start(self.queue.take(request.id), replica.id, now))
            corrected = self._fleet.replica(replica.id)
            open_[replica.id] = corrected
            if not self.routing.is_open(corrected):
                del open_[replica.id]
        return Step(tuple(assignments), evictions)

    def drained_per_s(self, *, now: float) -> float:
        """Requests that started per second, over the last `DRAIN_WINDOW_S`; 0 is unknown."""
        started = self._dispatched_at
        while started and started[0] < now - DRAIN_WINDOW_S:
            started.popleft()
        return len(started) / max(1.0, now - started[0]) if len(started) > 1 else 0.0

    def retry_after_s(self, *, now: float) -> float:
        """Time for the queue to drain at that rate."""
        return self._drained_in_s(self.drained_per_s(now=now))

    def _drained_in_s(self, per_s: float) -> float:
        wanted_s = len(self.queue) / per_s if per_s else LONGEST_RETRY_AFTER_S
        return min(LONGEST_RETRY_AFTER_S, max(1.0, wanted_s))

    def _start(self, request: Request, replica_id: str, now: float) -> Assignment:
        assignment = Assignment(request, replica_id)
        uncached = request.prompt_tokens - request.cached_tokens
        prefill_tokens = uncached if request.streams else 0
        load = Load(1, request.sequences, request.tokens, prefill_tokens)
        self._running[request.id] = _Running(assignment, now, load)
        self._fleet.count(replica_id, load)
        self._dispatched_at.append(now)
        return assignment

    def _count_more(
        self, running: _Running, *, reserved_tokens: int = 0, prefill_tokens: int = 0
    ) -> None:
        more = Load(reserved_tokens=reserved_tokens, prefill_tokens=prefill_tokens)
        running.load.reserved_tokens += reserved_tokens
        running.load.prefill_tokens += prefill_tokens
        self._fleet.count(running.assignment.replica_id, more)

    def check_invariants(self) -> None:
        self.queue.check_invariants()
        assert not any(request_id in self.queue for request_id in self._running)
        by_replica: dict[str, list[Load]] = {}
        for running in self._running.values():
            by_replica.setdefault(running.assignment.replica_id, []).append(running.load)
        assert self._fleet.loads == {
            replica_id: Load(
                requests=len(loads),
                sequences=sum(load.sequences for load in loads),
                reserved_tokens=sum(load.reserved_tokens for load in loads),
                prefill_tokens=sum(load.prefill_tokens for load in loads),
            )
            for replica_id, loads in by_replica.items()
        }
