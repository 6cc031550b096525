"""The road to engine replicas: Serve's handle finds them, channels carry calls and beats."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from serve_app.engine.protocol import Call, Items
from serve_app.errors import ReplicaLost
from serve_app.serving.channels import Address, Channels

ENGINE = "Engine"


class RayEngines:
    """The replicas of one engine application. `gateway` names this gateway replica, and
    `spend` hears of the CPU seconds that channels take."""

    def __init__(self, application: str, *, gateway: str, spend: Callable[[float], None]) -> None:
        self.channels = Channels(gateway, spend=spend)
        self._application = application
        self._handle: DeploymentHandle | None = None
        self._addresses: dict[str, Address] = {}
        self._knocking: asyncio.Task[None] | None = None

    @property
    def in_service(self) -> AbstractSet[str]:
        """Replicas that Serve counts as running and that can be reached."""
        return self._addresses.keys() & self.channels.open

    def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        """See `Engines.call`. Leaving early cancels the call on the replica."""
        channel = self.channels.get(replica_id)
        if channel is None:
            raise ReplicaLost("the replica for this request is gone; try again")
        return channel.call(call)

    async def discover(self, *, timeout_s: float) -> None:
        """Ask Serve who is in service, and connect to who is new.

        Raises what the handle raises. While one replica hangs nobody new is found, and the
        known ones stay: Serve replaces a replica that hangs.
        """
        try:
            asked = self._new_handle().broadcast("address")
        except KeyError:  # not deployed, or not yet
            self._addresses = {}
            return
        answers = await asked.results_async(timeout_s=timeout_s, return_exceptions=True)
        self._addresses = dict(a for a in answers if not isinstance(a, BaseException))
        await self.channels.reach(self._addresses)

    def knock(self, *, somebody_waits: bool) -> None:
        """With no replica there is none to tell our depth to. A call that waits in Serve's own
        handle says it: the policy sees it, and starts the first replica."""
        is_knocking = self._knocking is not None and not self._knocking.done()
        if somebody_waits and not is_knocking:
            self._knocking = asyncio.create_task(self._knock())
        elif self._knocking is not None and not somebody_waits:
            self._knocking.cancel()

    async def _knock(self) -> None:
        with suppress(KeyError, RayError, RayServeException):  # gone again, or never deployed
            await self._new_handle().address.remote()

    def _new_handle(self) -> DeploymentHandle:
        if self._handle is None:
            self._handle = serve.get_deployment_handle(ENGINE, app_name=self._application)
        return self._handle
