"""The road to engine replicas: Serve's handle, and the beat that goes with it."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import RayServeException

from serve_app.engine.protocol import Call
from serve_app.errors import EngineError, ReplicaLost, RequestError
from serve_app.serving.lane import Items, Lane
from serve_app.serving.report import Beat, Report

logger = logging.getLogger("ray.serve")

ENGINE = "Engine"


class RayEngines:
    """Calls and beats to one engine application. `gateway` names this gateway replica."""

    def __init__(self, application: str, *, gateway: str) -> None:
        self.gateway = gateway
        self._handle = serve.get_deployment_handle(ENGINE, app_name=application)
        self._stream = self._handle.options(stream=True)

    async def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        """See `Engines.call`. Leaving early cancels the call on the replica."""
        response = self._stream.generate.remote(call, gateway=self.gateway, to=replica_id)
        is_whole = False
        try:
            async for items in response:
                yield items
            is_whole = True
        except RayTaskError as error:
            raise _own_error(error) from None
        except (RayActorError, RayServeException) as error:
            raise ReplicaLost("the replica that ran this request is gone; try again") from error
        finally:
            if not is_whole:
                response.cancel()

    async def beat(self, lane: Lane, *, timeout_s: float) -> list[Report]:
        """Tell every replica our depth, hear its load; those that stay silent are left out."""
        beat = Beat(self.gateway, lane.depth, lane.depth_tokens)
        try:
            answers = await self._handle.broadcast("beat", beat).results_async(
                timeout_s=timeout_s, return_exceptions=True
            )
        except TimeoutError:
            known = [replica.id for replica in lane.replicas]
            answers = await asyncio.gather(*(self._beat_one(beat, i, timeout_s) for i in known))
        return [answer for answer in answers if isinstance(answer, Report)]

    async def _beat_one(self, beat: Beat, replica_id: str, timeout_s: float) -> Report | None:
        """One replica that hangs must not hide the others."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._handle.beat.remote(beat, to=replica_id)
        except (TimeoutError, RayActorError, RayTaskError, RayServeException):
            return None


def _own_error(error: RayTaskError) -> RequestError:
    """The error that the replica raised, without Ray's wrapping and its stack text."""
    cause = error.cause
    if isinstance(cause, RequestError):
        return cause
    logger.error("the engine replica failed: %s", error)
    return EngineError("the engine failed on this request; its log has the reason")
