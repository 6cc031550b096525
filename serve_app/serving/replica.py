"""One engine as a Serve replica.

The actor itself needs no GPU: its workers hold them, in the placement group that Serve
makes for the replica. Loading happens in `__init__`, and Serve counts the replica as
running only after it, so a replica that is in service is warm.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from typing import Any

import ray
from ray import serve

from serve_app.channel.replica_end import ChannelServer
from serve_app.channel.tls import server_context
from serve_app.channel.wire import Beat, Report
from serve_app.config import EngineArgs, EngineTunables
from serve_app.core.concurrency import slots, typical
from serve_app.core.pace import Timings
from serve_app.core.quota import Demand, quotas
from serve_app.core.start import words
from serve_app.engine.loading import within
from serve_app.engine.protocol import Call, Engine, Frame, Head
from serve_app.engine.simulated import SimulatedEngine
from serve_app.engine.vllm import VllmEngine
from serve_app.errors import EngineError
from serve_app.models.cache import locate
from serve_app.serving.channels import Address
from serve_app.serving.controller import since_order_s
from serve_app.serving.readiness import require_ready
from serve_app.serving.starting import announced

logger = logging.getLogger("ray.serve")


class EngineReplica:
    """Loads an engine, answers calls, reports load. `args` is a dumped `EngineArgs`."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, args: dict[str, Any]
    ) -> None:
        started = time.monotonic()
        context = serve.get_replica_context()
        self._id: str = context.replica_id.unique_id
        before_s = await asyncio.to_thread(since_order_s, context.app_name, self._id)
        self._tunables = EngineTunables()
        self._typical_tokens = float(self._tunables.expected_tokens)
        self._depths: dict[str, tuple[float, Beat]] = {}
        await self._load(EngineArgs.model_validate(args))
        self._channel = ChannelServer(self)
        host = ray.util.get_node_ip_address()
        port = await self._channel.start(host, tls=server_context())
        self._address = Address(host, port, self._channel.secret)
        took_s, capacity = time.monotonic() - started, self._engine.capacity
        self._load_s = before_s + took_s
        phases = words(self._engine.phases.seconds)
        logger.info("engine ready after %.1f s (%s): %s", took_s, phases, capacity)

    async def _load(self, args: EngineArgs) -> None:
        """Check first, for a second; then load, for minutes."""
        group = ray.util.get_current_placement_group()
        await asyncio.to_thread(require_ready, args, group)
        self._engine = engine = _engine(args, group)
        with announced(self._id, engine.phases):
            await within(
                args.load_timeout_s,
                engine.start(),
                source=engine.phases,
                abort=engine.abort_start,
            )

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        self._tunables = EngineTunables.model_validate(user_config)
        self._typical_tokens = float(self._tunables.expected_tokens)
        self._engine.hang_timeout_s = self._tunables.hang_timeout_s

    async def address(self) -> tuple[str, Address]:
        """Who this replica is, and where gateways reach it."""
        return self._id, self._address

    def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        self._typical_tokens = typical(self._typical_tokens, call.expected_tokens, call.sequences)
        return self._engine.generate(call)

    def report(self, gateway: str, beat: Beat) -> Report:
        """Exchange depth for load; gateways ask on every beat."""
        self._depths[gateway] = (time.monotonic(), beat)
        return Report(
            replica=self._id,
            model=self._engine.model,
            capacity=self._engine.capacity,
            stats=self._engine.stats(),
            slots=self._slots(),
            max_sequences=self._max_sequences(),
            running=dict(self._channel.running),
            is_healthy=self._is_healthy() and not self._channel.is_draining,
            quota=self._quota(gateway),
            start_s=tuple(self._engine.phases.seconds.items()),
            timings=self._timings(),
            slowdown=self._tunables.slowdown,
        )

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the policy reads; see `serving.autoscaler`. Serve disables this hook for good
        when it raises, so it only adds numbers up."""
        stats = self._engine.stats()
        own = self._timings()._asdict() | {
            "running": float(sum(load.sequences for load in self._channel.running.values())),
            "waiting": float(stats.waiting),
            "kv_usage": stats.kv_usage,
            "slowdown": self._tunables.slowdown,
            "slots": float(self._slots()),
            "load_s": self._load_s,
            "token_s": self._channel.slot_time.token_s,
        }
        beats = self._fresh_depths().values()
        if not beats:
            return own  # no gateway speaks; that is no data, and not that nobody waits
        return own | {
            "depth": float(sum(sum(beat.waiting) for beat in beats)),
            "depth_tokens": float(sum(beat.waiting_tokens for beat in beats)),
            "arriving_tokens_per_s": float(sum(beat.arriving_tokens_per_s for beat in beats)),
        }

    async def check_health(self) -> None:
        """Serve replaces the replica after three failures in a row."""
        self._engine.check_health()

    async def __del__(self) -> None:
        """Serve has taken this replica out of service: let its calls end, then stop.

        Serve kills the process when `graceful_shutdown_timeout_s` is over.
        """
        if hasattr(self, "_channel"):
            await self._channel.drain()
            self._channel.close()
        if hasattr(self, "_engine"):
            await self._engine.shutdown()

    def _timings(self) -> Timings:
        return self._engine.pace.timings(slowdown=self._tunables.slowdown, now=time.monotonic())

    def _fresh_depths(self) -> dict[str, Beat]:
        """What gateways that live have said last."""
        oldest = time.monotonic() - self._tunables.depth_timeout_s
        self._depths = {g: entry for g, entry in self._depths.items() if entry[0] >= oldest}
        return {gateway: beat for gateway, (_, beat) in self._depths.items()}

    def _quota(self, gateway: str) -> int | None:
        running = self._channel.running
        demands = {
            name: Demand(running[name].sequences if name in running else 0, beat.waiting)
            for name, beat in self._fresh_depths().items()
        }
        found = quotas(self._slots(), demands)
        return found[gateway] if found is not None else None

    def _slots(self) -> int:
        capacity = self._engine.capacity
        return slots(
            kv_tokens=capacity.kv_tokens,
            max_num_seqs=capacity.max_num_seqs,
            max_model_len=capacity.max_model_len,
            expected_tokens=self._typical_tokens,
            overcommit=self._tunables.overcommit,
        )

    def _max_sequences(self) -> int:
        return max(1, int(self._tunables.overcommit * self._engine.capacity.max_num_seqs))

    def _is_healthy(self) -> bool:
        try:
            self._engine.check_health()
        except EngineError as error:
            logger.error("unhealthy: %s", error)  # noqa: TRY400 - the message says it all
            return False
        return True


def _engine(args: EngineArgs, group: Any) -> Engine:
    if args.kind == "simulated":
        return SimulatedEngine(args.simulated, names=args.names)
    # vLLM's engine process joins Ray through this; without it, it may start a cluster of its own.
    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    # vLLM would give up after 600 s by itself, and does not say in which phase.
    os.environ.setdefault("VLLM_ENGINE_READY_TIMEOUT_S", str(int(args.load_timeout_s) + 60))
    return VllmEngine(args, model_path=str(locate(args.model)), placement_group=group)
