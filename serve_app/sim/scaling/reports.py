"""What the replicas of a replay report, to Serve and to their gateway."""

import math

from serve_app.core.dispatch import Dispatcher
from serve_app.core.report import ReplicaLoad
from serve_app.sim.scaling.gauges import Gauges
from serve_app.sim.scaling.replicas import Member, Replicas
from serve_app.sim.scaling.setup import Setup


class Reports:
    """Made once for each moment, however many look."""

    def __init__(
        self, replicas: Replicas, dispatcher: Dispatcher, gauges: Gauges, setup: Setup
    ) -> None:
        self._replicas = replicas
        self._dispatcher = dispatcher
        self._gauges = gauges
        self._load_s = setup.load_s
        self._slowdown = setup.engine.slowdown
        self._made: dict[str, ReplicaLoad] = {}
        self._made_at = -math.inf

    def __repr__(self) -> str:
        return f"<Reports of {len(self._made)} replicas at {self._made_at:.1f} s>"

    def at(self, now: float) -> list[ReplicaLoad]:
        """Of all that serve at this moment."""
        if now > self._made_at:
            self._made, self._made_at = {}, now
        arriving = self._dispatcher.arrivals.per_s(now=now)
        for name, member in self._replicas.ready.items():
            if name not in self._made:
                self._made[name] = self._make(member, arriving)
        return [self._made[name] for name in self._replicas.ready]

    def _make(self, member: Member, arriving: float) -> ReplicaLoad:
        engine, queue, now = member.engine, self._dispatcher.queue, self._made_at
        return ReplicaLoad(
            running=engine.running + len(engine.waiting),
            slots=member.slots,
            reported_at=now if member.hears_gateway else -math.inf,
            depth=len(queue),
            depth_tokens=queue.tokens,
            arriving_tokens_per_s=arriving,
            kv_usage=engine.kv_usage,
            load_s=self._load_s,
            token_s=self._gauges.slot_time.token_s,
            slowdown=self._slowdown,
            **member.meter.timings(engine, slowdown=self._slowdown, now=now)._asdict(),
        )
