"""The traffic and the engines with which the order is judged."""

from collections.abc import Callable, Iterable
from enum import Enum

from serve_app.core.dispatch import Dispatcher
from serve_app.core.forecast import Forecast
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.routing import Routing
from serve_app.core.tenant import Priority
from serve_app.sim.engine import EngineShape
from serve_app.sim.orders import FirstCome, RoundRobin
from serve_app.sim.traffic import Shape, Source, exactly, lognormal, merged
from serve_app.sim.world import World

CAPACITY_PER_S = 11.0
"""Chats that two replicas finish per second when they have more than enough."""

CHAT = Shape(
    prompt=lognormal(median=800, sigma=0.9, most=8000),
    output=lognormal(median=300, sigma=0.8, most=4000),
)
WRITES = Shape(
    prompt=lognormal(median=150, sigma=0.5, most=1000),
    output=lognormal(median=1000, sigma=0.3, most=4000),
)
READS = Shape(prompt=lognormal(median=4000, sigma=0.3, most=12_000), output=exactly(50))
CACHED = Shape(
    prompt=lognormal(median=200, sigma=0.5, most=1000),
    output=lognormal(median=300, sigma=0.8, most=4000),
    prefix_tokens=3200,
)
RAMBLES = Shape(
    prompt=lognormal(median=600, sigma=0.9, most=8000),
    output=lognormal(median=300, sigma=1.3, most=16_000),
)
"""Nobody knows how long its answers get: one in ten is more than five times the median."""


class Order(Enum):
    """Who is next: ours, and what others do."""

    OURS = "fair by token cost"
    FIRST_COME = "first come, first served"
    ROUND_ROBIN = "tenants in turn"

    @property
    def queue(self) -> Callable[[Rules], WaitingQueue]:
        return {
            Order.OURS: WaitingQueue,
            Order.FIRST_COME: FirstCome,
            Order.ROUND_ROBIN: RoundRobin,
        }[self]


def world(
    order: Order = Order.OURS,
    *,
    engine: EngineShape | None = None,
    replicas: int = 2,
    plain_slots: bool = False,
) -> World:
    """A gateway as it is configured by default. `plain_slots` sends up to `max_num_seqs`,
    whatever the KV cache holds."""
    bounds = Bounds(requests=1000, tokens=4_000_000, tenant_share=0.5)
    rules = Rules(bounds, shares={Priority.NORMAL: 0.1, Priority.LOW: 0.02})
    routing = Routing(kv_headroom=0.05)
    if order is not Order.OURS:
        routing = Routing(kv_headroom=0.05, slot_headroom=0.0)
    return World(
        Dispatcher(order.queue(rules), routing, ttft_target_s=2.0),
        [engine or EngineShape()] * replicas,
        Forecast(512),
        reports_kv=not plain_slots,
    )


def played(it: World, sources: Iterable[Source], *, seed: int, until_s: float) -> World:
    it.play(merged(sources, seed, until_s=until_s), until_s=until_s)
    return it
