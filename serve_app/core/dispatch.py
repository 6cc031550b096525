"""Waiting requests × free slots → assignments.

One synchronous method decides, `assign`; it is called on every arrival, finish, replica
change and tick, and returns what there is to do. The caller does it. State is two
collections: the queue, and what runs where.

A request moves WAITING → RUNNING → gone (`release`), or WAITING → gone (evicted or
withdrawn). There is no other way.
"""

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from serve_app.core.queue import WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing

DRAIN_WINDOW_S = 30.0
LONGEST_RETRY_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Assignment:
    request: Request
    replica_id: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of `assign` decided."""

    assignments: tuple[Assignment, ...]
    evictions: tuple[Request, ...]


class Dispatcher:
    """The queue of one model, its replicas, and the requests that this gateway runs on them."""

    def __init__(self, queue: WaitingQueue, routing: Routing) -> None:
        self.queue = queue
        self.routing = routing
        self._reported: dict[str, Replica] = {}
        self._running: dict[str, Assignment] = {}
        self._mine: dict[str, int] = {}  # replica id → sequences of ours
        self._dispatched_at: deque[float] = deque()

    def __repr__(self) -> str:
        replicas = len(self._reported)
        return f"<Dispatcher {len(self.queue)} waiting, {len(self._running)} running on {replicas}>"

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def replicas(self) -> list[Replica]:
        """Snapshots in which what this gateway has in flight is counted as of now."""
        return [
            replace(replica, running=replica.running + self._mine.get(replica.id, 0))
            for replica in self._reported.values()
        ]

    def observe(self, replicas: Iterable[Replica]) -> None:
        """Take fresh reports; `running` in them is what *other* gateways run."""
        for replica in replicas:
            self._reported[replica.id] = replica

    def retain(self, replica_ids: AbstractSet[str]) -> None:
        """Forget replicas that are no longer in service; what runs on them may still finish."""
        self._reported = {i: r for i, r in self._reported.items() if i in replica_ids}

    def lose(self, replica_id: str) -> None:
        """A call to this replica failed: send it nothing until it is heard of again."""
        self._reported.pop(replica_id, None)

    def submit(self, request: Request, *, now: float) -> None:
        """Let `request` wait; raises `QueueFull`."""
        self.queue.push(request, retry_after_s=self.retry_after_s(now=now))

    def withdraw(self, request_id: str) -> None:
        """The client left while the request waited; nothing happens if it did not wait."""
        self.queue.discard(request_id)

    def release(self, request_id: str) -> None:
        """A running request ended, whatever its outcome. Idempotent."""
        assignment = self._running.pop(request_id, None)
        if assignment is not None:
            self._mine[assignment.replica_id] -= assignment.request.sequences
            if not self._mine[assignment.replica_id]:
                del self._mine[assignment.replica_id]

    def assign(self, *, now: float) -> Step:
        """Evict what is late, then give the first in line a slot until none is free."""
        evictions = tuple(self.queue.evict(now=now))
        assignments = []
        while (request := self.queue.first()) is not None:
            replica = self.routing.pick(request, self.replicas, now=now)
            if replica is None:
                break
            self.queue.discard(request.id)
            assignments.append(self._start(request, replica.id, now))
        return Step(tuple(assignments), evictions)

    def retry_after_s(self, *, now: float) -> float:
        """Time for the queue to drain at the rate of the last `DRAIN_WINDOW_S`."""
        while self._dispatched_at and self._dispatched_at[0] < now - DRAIN_WINDOW_S:
            self._dispatched_at.popleft()
        drained_per_s = len(self._dispatched_at) / DRAIN_WINDOW_S
        wanted_s = len(self.queue) / drained_per_s if drained_per_s else LONGEST_RETRY_AFTER_S
        return min(LONGEST_RETRY_AFTER_S, max(1.0, wanted_s))

    def _start(self, request: Request, replica_id: str, now: float) -> Assignment:
        assignment = Assignment(request, replica_id)
        self._running[request.id] = assignment
        self._mine[replica_id] = self._mine.get(replica_id, 0) + request.sequences
        self._dispatched_at.append(now)
        return assignment

    def check_invariants(self) -> None:
        self.queue.check_invariants()
        mine: dict[str, int] = {}
        for assignment in self._running.values():
            sequences = assignment.request.sequences
            mine[assignment.replica_id] = mine.get(assignment.replica_id, 0) + sequences
            assert assignment.request.id not in self.queue
        assert mine == self._mine
