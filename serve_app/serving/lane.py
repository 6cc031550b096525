"""One model's way through the gateway: wait, get a slot, be answered by a replica.

The core decides (`Dispatcher`); a lane waits and calls. `slot` owns the permit: however
its block is left, by return, error, disconnect or cancellation, the request is out of the
queue, its slot is free, and the next in line is looked for.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from serve_app.channel.wire import Report
from serve_app.config import GatewayTunables
from serve_app.core.dispatch import Dispatcher
from serve_app.core.queue import WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.engine.protocol import Call, Items
from serve_app.errors import DeadlineExceeded, EngineUnavailable, NoReplica

logger = logging.getLogger("ray.serve")

Clock = Callable[[], float]


class Engines(Protocol):
    """The road to the replicas of one engine application."""

    def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        """Run `call` on a replica; items that are ready together come together.

        Raises `EngineError`: `ReplicaLost` when the replica is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Absence:
    """Why no replica answers: `waits_for` is for clients, `detail` for operators (`/ready`)."""

    waits_for: str
    detail: str = ""


class Lane:
    """The queue, the replicas and the running requests of one engine application."""

    def __init__(
        self,
        application: str,
        engines: Engines,
        tunables: GatewayTunables,
        *,
        gateway: str,
        clock: Clock = time.monotonic,
    ) -> None:
        self.application = application
        self.gateway = gateway
        self._reports: dict[str, Report] = {}
        self.absence = Absence(f"application {application!r} to have a running replica")
        self._engines = engines
        self._clock = clock
        self._turns: dict[str, asyncio.Future[str]] = {}
        self._dispatcher = Dispatcher(WaitingQueue(max_requests=0, max_tokens=0), Routing())
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
    def depth_tokens(self) -> int:
        return self._dispatcher.queue.tokens

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
        self._deadline_s = tunables.queue.deadline_s
        self._retries = tunables.retries
        self._dispatcher.queue.max_requests = tunables.queue.max_requests
        self._dispatcher.queue.max_tokens = tunables.queue.max_tokens
        self._dispatcher.routing = Routing(stale_after_s=tunables.stale_after_s)

    def hear(self, reports: Sequence[Report], *, in_service: AbstractSet[str]) -> None:
        """Take what replicas report. One that is silent grows stale; one that is out of
        service is no longer used."""
        now = self._clock()
        known = self._reports | {report.replica: report for report in reports}
        self._reports = {name: report for name, report in known.items() if name in in_service}
        self._dispatcher.observe(report.seen_by(self.gateway, now=now) for report in reports)
        self._dispatcher.retain(in_service)
        self.dispatch()

    def hear_nothing(self, absence: Absence) -> None:
        """No replica is in service."""
        self.absence = absence
        self.hear((), in_service=frozenset())

    def dispatch(self) -> None:
        """Act on what the dispatcher decides now; also called on every beat, for deadlines."""
        step = self._dispatcher.assign(now=self._clock())
        for assignment in step.assignments:
            turn = self._turns[assignment.request.id]
            if not turn.done():
                turn.set_result(assignment.replica_id)
        for request in step.evictions:
            turn = self._turns[request.id]
            if not turn.done():
                turn.set_exception(self._late(request))

    def request(
        self,
        request_id: str,
        *,
        sequences: int,
        prompt_tokens: int,
        output_tokens: int,
        timeout_s: float | None,
    ) -> Request:
        """A request that arrives now and waits no longer than the client or the config allows."""
        now = self._clock()
        wait_s = min(self._deadline_s, timeout_s or self._deadline_s)
        return Request(request_id, now, now + wait_s, sequences, prompt_tokens, output_tokens)

    async def answer(self, call: Call, request: Request) -> AsyncGenerator[Items, None]:
        """Wait for a slot, run `call` there, and hand on what comes.

        A replica that fails before the first item is left out and another one is tried;
        after it, the error is the caller's to show.
        """
        for retries_left in range(self._retries, -1, -1):
            self._require_replica()
            async with self.slot(request) as replica_id:
                has_started = False
                try:
                    async with aclosing(self._engines.call(replica_id, call)) as batches:
                        async for items in batches:
                            has_started = True
                            yield items
                    return
                except EngineUnavailable as error:
                    self._dispatcher.lose(replica_id)
                    if has_started or not retries_left:
                        raise
                    logger.warning("%s: %s before the first byte", call.request_id, error.code)

    @asynccontextmanager
    async def slot(self, request: Request) -> AsyncIterator[str]:
        """Wait for a replica with room; yields its id. Raises `QueueFull`, `DeadlineExceeded`."""
        self._dispatcher.submit(request, now=self._clock())
        turn = self._turns[request.id] = asyncio.get_running_loop().create_future()
        try:
            self.dispatch()
            yield await turn
        finally:
            self._turns.pop(request.id, None)
            self._dispatcher.withdraw(request.id)
            self._dispatcher.release(request.id)
            self.dispatch()

    def _late(self, request: Request) -> DeadlineExceeded:
        now = self._clock()
        return DeadlineExceeded(
            f"waited {now - request.arrived_at:.1f} s for a free slot, as long as this request "
            "may; try again later, or allow more with x-request-timeout-seconds",
            retry_after_s=self._dispatcher.retry_after_s(now=now),
        )

    def _require_replica(self) -> None:
        if not self.is_ready:
            waits_for = self.absence.waits_for
            raise NoReplica(f"waiting for {waits_for}; try again in 5 s", retry_after_s=5.0)
