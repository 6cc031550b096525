"""The road to engine replicas: Serve's handle finds them, a channel carries the calls."""

import asyncio
from collections.abc import AsyncGenerator

from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import RayServeException

from serve_app.engine.protocol import Call, Items
from serve_app.errors import ReplicaLost
from serve_app.serving.channels import Channels
from serve_app.serving.lane import Lane
from serve_app.serving.report import Beat, Report

ENGINE = "Engine"


class RayEngines:
    """Calls and beats to one engine application. `gateway` names this gateway replica."""

    def __init__(self, application: str, *, gateway: str) -> None:
        self.channels = Channels(gateway)
        self._gateway = gateway
        self._handle = serve.get_deployment_handle(ENGINE, app_name=application)

    def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        """See `Engines.call`. Leaving early cancels the call on the replica."""
        channel = self.channels.get(replica_id)
        if channel is None:
            raise ReplicaLost("the replica for this request is gone; try again")
        return channel.call(call)

    async def beat(self, lane: Lane, *, timeout_s: float) -> list[Report]:
        """Tell every replica our depth, hear its load; those out of reach are left out."""
        beat = Beat(self._gateway, lane.depth, lane.depth_tokens)
        try:
            answers = await self._handle.broadcast("beat", beat).results_async(
                timeout_s=timeout_s, return_exceptions=True
            )
        except TimeoutError:
            known = [replica.id for replica in lane.replicas]
            answers = await asyncio.gather(*(self._beat_one(beat, i, timeout_s) for i in known))
        return await self.channels.reach(a for a in answers if isinstance(a, Report))

    async def _beat_one(self, beat: Beat, replica_id: str, timeout_s: float) -> Report | None:
        """One replica that hangs must not hide the others."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._handle.beat.remote(beat, to=replica_id)
        except (TimeoutError, RayActorError, RayTaskError, RayServeException):
            return None
