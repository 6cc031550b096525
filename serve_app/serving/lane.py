"""One model's way through the gateway: wait, get a slot, be answered by a replica.

The core decides (`Dispatcher`); a lane waits and calls. `slot` owns the place in the queue
and the slot after it: however its block is left, by return, error, disconnect or
cancellation, the request is out of the queue, its slot is free, and the next in line is
looked for. A request for a model whose replicas are still loading, or were scaled to zero,
waits like any other.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

from serve_app.channel.wire import Report
from serve_app.config import GatewayTunables
from serve_app.core.admission import Admission, Asked, Permit, Used
from serve_app.core.carried import Carried
from serve_app.core.dispatch import Dispatcher, Place
from serve_app.core.queue import WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.core.tenant import Identity, Priority
from serve_app.engine.protocol import Call, Items
from serve_app.errors import DeadlineExceeded, EngineError, EngineUnavailable, NoReplica
from serve_app.serving.ledger import LedgerClient
from serve_app.serving.progress import Clock, Progress
from serve_app.serving.standing import Absence

logger = logging.getLogger("ray.serve")


class Engines(Protocol):
    """The road to the replicas of one engine application."""

    def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        """Run `call` on a replica; items that are ready together come together.

        Raises `EngineError`: `ReplicaLost` when the replica is gone.
        """
        ...


class Lane:
    """The queue, the replicas and the running requests of one engine application."""

    def __init__(
        self,
        application: str,
        engines: Engines,
        tunables: GatewayTunables,
        *,
        gateway: str,
        ledger: LedgerClient,
        clock: Clock = time.monotonic,
    ) -> None:
        self.application = application
        self.gateway = gateway
        self._reports: dict[str, Report] = {}
        self.absence = Absence(f"application {application!r} to have a running replica")
        self.shortfall = ""  # why fewer replicas serve than its policy wants
        self._engines = engines
        self._clock = clock
        self._turns: dict[str, asyncio.Future[str]] = {}
        queue = WaitingQueue(tunables.queue.to_core())
        slots = tunables.slots
        self._dispatcher = Dispatcher(queue, Routing(), ttft_target_s=slots.ttft_target_s)
        self._ledger = ledger
        self._admission = Admission(
            expected_output_tokens=slots.expected_output_tokens,
            deadline_s=tunables.queue.deadline_s,
            cached_weight=tunables.queue.cached_weight,
        )
        self.reconfigure(tunables)

    def __repr__(self) -> str:
        return f"<Lane {self.application} {self._dispatcher!r}>"

    @property
    def reports(self) -> Sequence[Report]:
        """The latest of every replica in service."""
        return list(self._reports.values())

    @property
    def depth(self) -> int:
        return len(self._dispatcher.queue)

    @property
    def waiting(self) -> tuple[int, ...]:
        """The same by priority class."""
        return tuple(self._dispatcher.queue.depth(priority) for priority in Priority)

    @property
    def depth_tokens(self) -> int:
        return self._dispatcher.queue.tokens

    @property
    def arriving_tokens_per_s(self) -> float:
        return self._dispatcher.arrivals.per_s(now=self._clock())

    @property
    def running(self) -> int:
        return self._dispatcher.running

    @property
    def replicas(self) -> list[Replica]:
        return self._dispatcher.replicas

    @property
    def is_ready(self) -> bool:
        return any(replica.is_healthy for replica in self._dispatcher.replicas)

    def reconfigure(self, tunables: GatewayTunables) -> None:
        """New bounds hold from the next arrival on; nobody who waits is thrown out."""
        self._admission.deadline_s = tunables.queue.deadline_s
        self._admission.cached_weight = tunables.queue.cached_weight
        self._retries = tunables.retries
        self._dispatcher.queue.rules = tunables.queue.to_core()
        self._dispatcher.ttft_target_s = tunables.slots.ttft_target_s
        self._carried = Carried(tunables.slots.target_late)
        self._dispatcher.routing = Routing(
            stale_after_s=tunables.stale_after_s, kv_headroom=tunables.slots.kv_headroom
        )

    def hear(self, reports: Sequence[Report], *, in_service: AbstractSet[str]) -> None:
        """Take what replicas report. One that is silent grows stale; one that is out of
        service is no longer used."""
        now = self._clock()
        known = self._reports | {report.replica: report for report in reports}
        self._reports = {name: report for name, report in known.items() if name in in_service}
        for report in reports:
            self._admission.max_model_len = report.capacity.max_model_len
        carries = self._carried.hear([report.load(now=now) for report in reports], now=now)
        self._dispatcher.observe(
            report.seen_by(self.gateway, now=now, carries=carries) for report in reports
        )
        self._dispatcher.retain(in_service)
        self.dispatch()

    def hear_nothing(self, absence: Absence) -> None:
        """No replica is in service; whoever waits goes on waiting if one is coming."""
        self.absence = absence
        self.hear((), in_service=frozenset())
        if not absence.is_coming:
            for turn in self._turns.values():
                _refuse(turn, self._nobody())

    def dispatch(self) -> None:
        """Act on what the dispatcher decides now; also called on every beat, for deadlines."""
        step = self._dispatcher.assign(now=self._clock())
        for assignment in step.assignments:
            turn = self._turns[assignment.request.id]
            if not turn.done():
                turn.set_result(assignment.replica_id)
        for request in step.evictions:
            _refuse(self._turns[request.id], self._late(request))

    async def admit(self, asked: Asked, identity: Identity) -> Permit:
        """Let a request in that arrives now; raises `RateLimited`."""
        request = self._admission.request(asked, identity, now=self._clock())
        reservation = await self._ledger.reserve(identity, request.tokens)
        return Permit(request, asked, reservation, self._admission)

    def settle(self, permit: Permit, used: Used | None, *, is_complete: bool) -> None:
        """The request of `permit` has ended, with what it used; None is nothing."""
        if used is None:
            permit.abandon(now=self._clock())
        else:
            permit.settle(used, is_complete=is_complete, now=self._clock())

    async def answer(
        self, call: Call, permit: Permit, placed: Callable[[Place], None] | None
    ) -> AsyncGenerator[Items, None]:
        """Wait for a slot, run `call` there, and hand on what comes; `placed` hears where in
        the queue that begins.

        A replica that fails before the first item is left out and another one is tried;
        after it, the error is the caller's to show.
        """
        request, announce = permit.request, placed
        for retries_left in range(self._retries, -1, -1):
            progress = Progress(self._dispatcher, request, self._clock)
            async with self._slot(progress, announce) as replica_id:
                permit.has_run = True
                try:
                    async with aclosing(self._engines.call(replica_id, call)) as batches:
                        async for items in batches:
                            if progress.note(items) and self.depth:
                                self.dispatch()  # its prompt is read: there is room for another
                            yield items
                    return
                except EngineError as error:
                    progress.has_failed = True
                    if not isinstance(error, EngineUnavailable):
                        raise
                    self._dispatcher.lose(replica_id)
                    if progress.has_started or not retries_left:
                        raise
                    logger.warning("%s: %s before the first byte", call.request_id, error.code)
                    request, announce = self._once_more(request), None

    @asynccontextmanager
    async def _slot(
        self, progress: Progress, placed: Callable[[Place], None] | None
    ) -> AsyncIterator[str]:
        """Wait for a replica with room; yields its id. Without `placed` the request has been in
        before. Raises `QueueFull`, `DeadlineExceeded` and `NoReplica`."""
        request = progress.request
        if not (self.is_ready or self.absence.is_coming):
            raise self._nobody()
        place = self._dispatcher.submit(request, now=self._clock(), again=placed is None)
        if placed is not None:
            placed(place)
        turn = self._turns[request.id] = asyncio.get_running_loop().create_future()
        try:
            self.dispatch()
            yield await turn
        finally:
            self._turns.pop(request.id, None)
            self._dispatcher.withdraw(request.id)
            self._dispatcher.release(
                request.id, cost=progress.cost, uncached_tokens=progress.uncached_tokens
            )
            self.dispatch()

    def _once_more(self, request: Request) -> Request:
        """It may wait as long as before: what it lost was not its own."""
        wait_s = request.deadline_at - request.arrived_at
        return request._replace(deadline_at=self._clock() + wait_s)

    def _late(self, request: Request) -> DeadlineExceeded:
        now = self._clock()
        waited_for = "a free slot" if self.is_ready else self.absence.waits_for
        return DeadlineExceeded(
            f"waited {now - request.arrived_at:.1f} s for {waited_for}, as long as this request "
            "may; try again later, or allow more with x-request-timeout-seconds",
            retry_after_s=self._dispatcher.retry_after_s(now=now),
        )

    def _nobody(self) -> NoReplica:
        waits_for = self.absence.waits_for
        return NoReplica(f"waiting for {waits_for}; try again in 5 s", retry_after_s=5.0)


def _refuse(turn: asyncio.Future[str], error: Exception) -> None:
    if not turn.done():
        turn.set_exception(error)
