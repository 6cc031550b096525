"""The ledger of all gateways as a Serve deployment, and a gateway's way to it.

One replica, without a disk and without a CPU of its own: it computes for about 10 µs per
limit in use, gateway and exchange. While it is gone, gateways go by their shares of the
limits; its successor learns from them what is used.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable

from ray import serve
from ray.exceptions import RayError
from ray.serve import Application
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from serve_app.core import ledger as core
from serve_app.core.budget import Reservation
from serve_app.core.exchange import SILENCE_S, Answer, Message
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity

logger = logging.getLogger("ray.serve")

TIMEOUT_S = 0.5
RETRY_S = 0.1

Clock = Callable[[], float]
Exchange = Callable[[Message], Awaitable[Answer]]
"""The road to the ledger. Raises what Ray and Serve raise."""


class Ledger:
    """`core.ledger.Ledger` as a Serve replica."""

    def __init__(self) -> None:
        self._ledger = core.Ledger(uuid.uuid4().hex, now=time.monotonic())

    async def exchange(self, message: Message) -> Answer:
        return self._ledger.exchange(message, now=time.monotonic())


def ledger() -> Application:
    """The deployment, for a gateway's constructor; a YAML needs no entry for it."""
    deployment = serve.deployment(
        Ledger,
        name="Ledger",
        num_replicas=1,  # it is the one place that knows
        max_ongoing_requests=1000,  # above the number of gateways
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=2,
        graceful_shutdown_timeout_s=1,
    )
    return deployment.bind()


def by_handle(handle: DeploymentHandle) -> Exchange:
    """The road through Serve. An exchange that is given up leaves nothing in the handle."""

    async def exchange(message: Message) -> Answer:
        response = handle.exchange.remote(message)
        try:
            return await response
        except asyncio.CancelledError:
            response.cancel()
            raise

    return exchange


class LedgerClient:
    """Keeps a gateway's limiter in touch with the ledger; without an `exchange` there is none."""

    def __init__(
        self, exchange: Exchange | None, limiter: Limiter, *, clock: Clock = time.monotonic
    ) -> None:
        self._exchange = exchange
        self._limiter = limiter
        self._clock = clock
        self._under_way: asyncio.Task[bool] | None = None
        if exchange is not None:
            limiter.seek(now=clock())

    async def reserve(self, identity: Identity, tokens: int) -> Reservation:
        """Set one request and `tokens` aside, or raise `RateLimited`.

        What this gateway does not hold it asks the ledger for, if that may have it; when it
        does not answer, a request waits until the gateway goes by its shares.
        """
        give_up_at = self._clock() + SILENCE_S + TIMEOUT_S
        has_asked = False
        while True:
            now = self._clock()
            found = self._limiter.try_reserve(identity, tokens, now=now)
            if isinstance(found, Reservation):
                return found
            if not found.may_ask or now >= give_up_at:
                raise found.error()
            if has_asked and not self._limiter.is_alone:
                await asyncio.sleep(RETRY_S)
            await self.exchange_once()
            has_asked = True

    async def exchange_once(self) -> bool:
        """Tell the ledger what is used and hear what may be, or join those who wait for that
        already. Whether it answered."""
        if self._exchange is None:
            return False
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._run(self._exchange))
        return await asyncio.shield(self._under_way)

    async def _run(self, exchange: Exchange) -> bool:
        was_alone, problem = self._limiter.is_alone, "it is starting"
        message = self._limiter.message(now=self._clock())
        answer: Answer | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await exchange(message)
        except asyncio.CancelledError as error:
            # Ray says so as well of an exchange that was cancelled at the other end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            problem = repr(error)
            self._limiter.miss(now=self._clock())
        except (TimeoutError, RayError, RayServeException) as error:
            problem = repr(error).splitlines()[0]
            self._limiter.miss(now=self._clock())
        else:
            self._limiter.hear(answer, now=self._clock())
        finally:
            self._under_way = None
        if self._limiter.is_alone and not was_alone:
            logger.warning("the ledger is silent (%s): limits hold by shares", problem)
        elif was_alone and not self._limiter.is_alone:
            logger.info("the ledger answers again")
        return answer is not None and answer.is_ready
