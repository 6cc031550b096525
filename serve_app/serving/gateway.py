"""The gateway as a Serve deployment: an ASGI app, and a beat to the engines behind it."""

import asyncio
import logging
from contextlib import suppress
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
        self._engines = {a: RayEngines(a, gateway=name) for a in applications}
        self._lanes = {
            a: Lane(a, e, self._tunables, gateway=name) for a, e in self._engines.items()
        }
        lanes = {model: self._lanes[application] for model, application in models.items()}
        self._ingress = Ingress(lanes, self._tunables, Metrics())
        self._beating = [asyncio.create_task(self._beat(lane)) for lane in self._lanes.values()]

    async def __serve_build_asgi_app__(self) -> Ingress:
        return self._ingress

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        self._tunables = GatewayTunables.model_validate(user_config)
        self._ingress.reconfigure(self._tunables)
        for lane in self._lanes.values():
            lane.reconfigure(self._tunables)

    async def check_health(self) -> None:
        """A beat that ended is a bug; a gateway without one routes blindly."""
        for task in self._beating:
            if task.done():
                raise RuntimeError(f"the beat has ended: {task!r}")

    async def _beat(self, lane: Lane) -> None:
        while True:
            with suppress(TimeoutError):
                # A beat to all, then to each alone when one hangs; and time to act on it.
                async with asyncio.timeout(3 * SLOWEST_BEAT_S):
                    await self._beat_once(lane)
            lane.dispatch()
            await asyncio.sleep(self._tunables.beat_interval_s)

    async def _beat_once(self, lane: Lane) -> None:
        engines = self._engines[lane.application]
        try:
            reports = await engines.beat(lane, timeout_s=SLOWEST_BEAT_S)
        except (RayError, RayServeException) as error:
            logger.debug("no beat from %s: %s", lane.application, error)
            reports = []
        if reports:
            lane.hear(reports)
        elif problems := engines.channels.problems:
            waits_for = f"a connection to the replicas of application {lane.application!r}"
            lane.hear_nothing(Absence(waits_for, "; ".join(problems.values())))
        else:
            lane.hear_nothing(await asyncio.to_thread(_absence, lane.application))


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
