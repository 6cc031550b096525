"""The gateway as a Serve deployment: an ASGI app, and a beat to the engines behind it."""

import asyncio
import logging
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from serve_app.config import GatewayArgs, GatewayTunables
from serve_app.serving.engines import RayEngines
from serve_app.serving.ingress import Ingress
from serve_app.serving.lane import Absence, Lane
from serve_app.serving.metrics import Metrics

logger = logging.getLogger("ray.serve")

SLOWEST_BEAT_S = 2.0
DISCOVERY_INTERVAL_S = 1.0  # asks Ray, which costs milliseconds; a beat costs microseconds
LONGEST_DETAIL = 500


@serve.ingress()  # no app: Serve asks for it through __serve_build_asgi_app__
class Gateway:
    """Answers HTTP. `args` is a dumped `GatewayArgs`; it needs no engine to start."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, args: dict[str, Any]
    ) -> None:
        models = GatewayArgs.model_validate(args).models
        name = serve.get_replica_context().replica_id.unique_id
        self._tunables = GatewayTunables()
        applications = dict.fromkeys(models.values())
        metrics = Metrics()
        self._engines = {
            a: RayEngines(a, gateway=name, spend=metrics.spend_on_channel) for a in applications
        }
        self._lanes = {
            a: Lane(a, e, self._tunables, gateway=name) for a, e in self._engines.items()
        }
        lanes = {model: self._lanes[application] for model, application in models.items()}
        self._ingress = Ingress(lanes, self._tunables, metrics)
        # Traffic comes as soon as this returns; by then, know who can answer.
        await asyncio.gather(*map(self._discover_once, self._engines))
        await asyncio.gather(*map(self._beat_once, self._lanes.values()))
        work = [
            *(self._discover(application) for application in self._engines),
            *(self._beat(lane) for lane in self._lanes.values()),
        ]
        self._loops = [asyncio.create_task(loop) for loop in work]

    async def __serve_build_asgi_app__(self) -> Ingress:
        return self._ingress

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        self._tunables = GatewayTunables.model_validate(user_config)
        self._ingress.reconfigure(self._tunables)
        for lane in self._lanes.values():
            lane.reconfigure(self._tunables)

    async def check_health(self) -> None:
        """A loop that ended is a bug; a gateway without it routes blindly."""
        for task in self._loops:
            if task.done():
                raise RuntimeError(f"a loop of the gateway has ended: {task!r}")

    async def _beat(self, lane: Lane) -> None:
        while True:
            await asyncio.sleep(self._tunables.beat_interval_s)
            await self._beat_once(lane)

    async def _beat_once(self, lane: Lane) -> None:
        """Depth for load, with every replica, on its channel."""
        engines = self._engines[lane.application]
        reports = await engines.channels.beat(
            lane.depth, lane.depth_tokens, timeout_s=SLOWEST_BEAT_S
        )
        if engines.in_service:
            lane.hear(reports, in_service=engines.in_service)
        else:
            lane.hear_nothing(await self._absence(lane.application))

    async def _discover(self, application: str) -> None:
        while True:
            await asyncio.sleep(DISCOVERY_INTERVAL_S)
            await self._discover_once(application)

    async def _discover_once(self, application: str) -> None:
        try:
            await self._engines[application].discover(timeout_s=SLOWEST_BEAT_S)
        except (TimeoutError, RayError, RayServeException) as error:
            logger.debug("who serves %s is unknown: %s", application, error)

    async def _absence(self, application: str) -> Absence:
        problems = self._engines[application].channels.problems
        if not problems:
            return await asyncio.to_thread(_absence, application)
        waits_for = f"a connection to the replicas of application {application!r}"
        return Absence(waits_for, "; ".join(problems.values()))


def _absence(application: str) -> Absence:
    """Why an application has no replica in service, as Serve sees it; blocks for a moment."""
    try:
        status = serve.status().applications.get(application)
    except (RayError, RayServeException):
        return Absence(f"application {application!r}; Serve's controller does not answer")
    if status is None:
        return Absence(f"application {application!r}, which is not deployed")
    said = [status.message, *(d.message for d in status.deployments.values())]
    detail = "; ".join(_last_line(message) for message in said if message.strip())
    return Absence(f"application {application!r}, which is {status.status.value}", detail)


def _last_line(message: str) -> str:
    """What went wrong, without the stack that led there."""
    return message.strip().splitlines()[-1][:LONGEST_DETAIL]
