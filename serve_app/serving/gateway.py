"""The gateway as a Serve deployment: an ASGI app, and a beat to the engines behind it."""

import asyncio
import logging
from typing import Any

from pydantic import ValidationError
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from serve_app.checking.problem import ConfigError
from serve_app.config import GatewayArgs, GatewayTunables
from serve_app.core.exchange import INTERVAL_S
from serve_app.core.limiter import Limiter
from serve_app.serving.address import listening_host
from serve_app.serving.engines import RayEngines
from serve_app.serving.ingress import Ingress
from serve_app.serving.keys import key_ring
from serve_app.serving.lane import Lane
from serve_app.serving.ledger import LedgerClient, by_handle
from serve_app.serving.metrics import Metrics
from serve_app.serving.standing import Absence, absence, shortfalls, unknown

logger = logging.getLogger("ray.serve")

SLOWEST_BEAT_S = 2.0
DISCOVERY_INTERVAL_S = 1.0  # asks Ray, which costs milliseconds; a beat costs microseconds
STANDING_INTERVAL_S = 2.0  # asks Serve's controller, on which everybody waits
IDLE_S = 2.0


@serve.ingress()  # no app: Serve asks for it through __serve_build_asgi_app__
class Gateway:
    """Answers HTTP. `args` is a dumped `GatewayArgs`; it needs no engine to start."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, args: dict[str, Any], ledger: DeploymentHandle
    ) -> None:
        models = GatewayArgs.model_validate(args).models
        context = serve.get_replica_context()
        name = context.replica_id.unique_id
        limiter = Limiter(name, gateways=context.world_size)
        self._ledger = LedgerClient(by_handle(ledger), limiter)
        self._tunables = _tunables()
        self._host = await asyncio.to_thread(listening_host)
        self._keys = key_ring(self._tunables, host=self._host)
        applications = dict.fromkeys(models.values())
        metrics = self._metrics = Metrics()
        self._asking: dict[str, asyncio.Task[Absence]] = {}
        self._engines = {
            a: RayEngines(a, gateway=name, spend=metrics.spend_on_channel) for a in applications
        }
        self._lanes = {
            a: Lane(a, e, self._tunables, gateway=name, ledger=self._ledger)
            for a, e in self._engines.items()
        }
        lanes = {model: self._lanes[application] for model, application in models.items()}
        self._ingress = Ingress(lanes, self._tunables, metrics, limiter=limiter, keys=self._keys)
        # Traffic comes as soon as this returns; by then, know who can answer.
        await asyncio.gather(*map(self._discover_once, self._engines))
        await asyncio.gather(*map(self._beat_once, self._lanes.values()))
        work = [
            *(self._discover(application) for application in self._engines),
            *(self._beat(lane) for lane in self._lanes.values()),
            self._look_around(),
            self._refresh_keys(),
            self._exchange(),
        ]
        self._loops = [asyncio.create_task(loop) for loop in work]

    async def __serve_build_asgi_app__(self) -> Ingress:
        return self._ingress

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """A config that cannot be used changes nothing. To raise here would stop the replica, and
        its successor too: a typo would take the gateway away."""
        try:
            tunables = GatewayTunables.model_validate(user_config)
            keys = key_ring(tunables, host=self._host, before=self._keys)
        except (ConfigError, ValidationError) as problem:
            logger.error("user_config is refused, the one before goes on: %s", problem)  # noqa: TRY400
            self._metrics.config_is_current(False)
            return
        self._metrics.config_is_current(True)
        self._tunables, self._keys = tunables, keys
        self._ingress.reconfigure(self._tunables, keys=keys)
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
        lane.dispatch()  # deadlines do not wait for replicas, nor for Serve
        engines = self._engines[lane.application]
        reports = await engines.channels.beat(
            lane.waiting,
            lane.depth_tokens,
            lane.arriving_tokens_per_s,
            timeout_s=SLOWEST_BEAT_S,
        )
        engines.knock(somebody_waits=bool(lane.depth) and not engines.in_service)
        if engines.in_service:
            lane.hear(reports, in_service=engines.in_service)
        else:
            lane.hear_nothing(await self._absence(lane.application))

    async def _look_around(self) -> None:
        while True:
            known = await asyncio.to_thread(shortfalls, self._lanes)
            for application, lane in self._lanes.items():
                lane.shortfall = known.get(application, "")
            await asyncio.sleep(STANDING_INTERVAL_S)

    async def _refresh_keys(self) -> None:
        while True:
            await asyncio.sleep(self._keys.auth.reload_interval_s if self._keys else IDLE_S)
            if self._keys is not None:
                await asyncio.to_thread(self._keys.refresh)

    async def _exchange(self) -> None:
        while True:
            await self._ledger.exchange_once()
            await asyncio.sleep(INTERVAL_S)

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
            return await self._asked(application)
        waits_for = f"a connection to the replicas of application {application!r}"
        return Absence(waits_for, "; ".join(problems.values()))

    async def _asked(self, application: str) -> Absence:
        """What Serve says. Its controller may be silent for ever: one thread at most waits for
        it, and the beat does not."""
        asking = self._asking.get(application)
        if asking is None or asking.done():
            asking = asyncio.create_task(asyncio.to_thread(absence, application))
            self._asking[application] = asking
        done, _ = await asyncio.wait({asking}, timeout=SLOWEST_BEAT_S)
        return asking.result() if done else unknown(application)


def _tunables() -> GatewayTunables:
    """What Serve is about to hand to `reconfigure`. With HAProxy the gateway's port is open by
    then, and who may ask has to be known before."""
    config = serve.get_replica_context()._deployment_config  # noqa: SLF001
    return GatewayTunables.model_validate(config.user_config or {})
