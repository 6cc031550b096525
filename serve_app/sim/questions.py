"""What is asked of an order: is it fair, to whom, and what does that cost?

Each question is played with the same arrivals in every order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from serve_app.core.tenant import Priority
from serve_app.sim.engine import EngineShape
from serve_app.sim.measures import (
    finished_per_s,
    of_tenant,
    percentile,
    share_within,
    ttfts_s,
    worst_minute,
)
from serve_app.sim.record import Outcome
from serve_app.sim.scenarios import (
    CACHED,
    CAPACITY_PER_S,
    CHAT,
    RAMBLES,
    READS,
    WRITES,
    Order,
    played,
    world,
)
from serve_app.sim.traffic import Source
from serve_app.sim.world import World

DRAIN_S = 90.0
"""Arrivals this close to the end are not counted: their answers may lie behind it."""
LEARNS_S = 210
"""By then everybody's first answers have come, and the queue knows how long they get."""
SLO_S = 2.0
SHAPES = {"chats": CHAT, "writes": WRITES, "reads": READS, "cached": CACHED}
WEIGHTS = {"one": 1.0, "two": 2.0, "four": 4.0}


@dataclass(frozen=True, slots=True)
class Light:
    """What a tenant gets that asks for a part of the capacity."""

    ttft_p50_s: float
    ttft_p99_s: float
    refused: float  # share of its requests
    finished_per_s: float  # of all tenants


def light(
    order: Order, *, load: float, flooded: bool = True, seed: int = 1, until_s: int = 600
) -> Light:
    """A tenant that asks for `load` of the capacity, and one, or none, for ten times of it."""
    sources = [Source("light", CHAT, load * CAPACITY_PER_S)]
    if flooded:
        sources.append(Source("flood", CHAT, 10 * CAPACITY_PER_S))
    it = played(world(order), sources, seed=seed, until_s=until_s)
    ttfts, records = ttfts_s(it, "light", until_s=until_s - DRAIN_S), of_tenant(it, "light")
    return Light(
        percentile(ttfts, 0.5),
        percentile(ttfts, 0.99),
        sum(r.outcome is Outcome.REJECTED for r in records) / len(records),
        finished_per_s(it, from_s=60, until_s=until_s),
    )


@dataclass(frozen=True, slots=True)
class Even:
    """How evenly backlogged tenants are served, in cost by weight; 1 is perfectly."""

    worst_minute: float
    worst_minute_learning: float  # before LEARNS_S
    shares: Mapping[str, float]  # of the service after LEARNS_S, by weight, relative to the mean


def shapes(order: Order, *, seed: int = 1, until_s: int = 600) -> Even:
    """Four tenants who ask for very different things, each for more than there is."""
    sources = [Source(tenant, shape, 20) for tenant, shape in SHAPES.items()]
    it = played(world(order), sources, seed=seed, until_s=until_s)
    return _even(it, dict.fromkeys(SHAPES, 1.0), until_s)


def weights(order: Order, *, seed: int = 1, until_s: int = 600) -> Even:
    """Three tenants with weights 1, 2 and 4, each asking for more than there is."""
    sources = [Source(tenant, CHAT, 40, weight=weight) for tenant, weight in WEIGHTS.items()]
    it = played(world(order), sources, seed=seed, until_s=until_s)
    return _even(it, WEIGHTS, until_s)


def _even(it: World, weights_: Mapping[str, float], until_s: int) -> Even:
    served = {t: it.service.between(t, LEARNS_S, until_s) / w for t, w in weights_.items()}
    mean = fmean(served.values())
    return Even(
        worst_minute(it, weights_, from_s=LEARNS_S, until_s=until_s),
        worst_minute(it, weights_, from_s=0, until_s=LEARNS_S + 60),
        {tenant: cost / mean for tenant, cost in served.items()},
    )


@dataclass(frozen=True, slots=True)
class Classes:
    """What `high` and `low` get when `low` floods."""

    high_in_slo: float  # share of its requests
    high_ttft_p99_s: float
    low_share: float  # of the service


def priorities(order: Order, *, load: float, seed: int = 1, until_s: int = 600) -> Classes:
    """`high` asks for `load` of the capacity, `low` for ten times of it."""
    sources = [
        Source("high", CHAT, load * CAPACITY_PER_S, priority=Priority.HIGH),
        Source("low", CHAT, 10 * CAPACITY_PER_S, priority=Priority.LOW),
    ]
    it = played(world(order), sources, seed=seed, until_s=until_s)
    ttfts = ttfts_s(it, "high", until_s=until_s - DRAIN_S)
    low, high = (it.service.between(tenant, 60, until_s) for tenant in ("low", "high"))
    return Classes(share_within(ttfts, SLO_S), percentile(ttfts, 0.99), low / (low + high))


@dataclass(frozen=True, slots=True)
class Memory:
    """How well the KV cache is used."""

    preempted: int  # after the first minute
    finished_per_s: float
    served_per_s: float  # cost
    prefill_p99_s: float  # from dispatch to the first token


def memory(*, plain_slots: bool, seed: int = 1, until_s: int = 400) -> Memory:
    """Answers whose length nobody knows, with a long tail, on engines that take 256 sequences
    and hold the KV cache of fewer."""
    it = world(engine=EngineShape(max_num_seqs=256), plain_slots=plain_slots)
    at_first: list[int] = []
    it.clock.at(60, lambda: at_first.append(it.preempted))
    played(it, [Source(tenant, RAMBLES, 20) for tenant in "ab"], seed=seed, until_s=until_s)
    waits = [
        r.first_token_at - r.started_at
        for r in it.records
        if r.first_token_at is not None and r.started_at is not None and r.started_at > 60
    ]
    return Memory(
        it.preempted - at_first[0],
        finished_per_s(it, from_s=60, until_s=until_s),
        sum(it.service.between(tenant, 60, until_s) for tenant in "ab") / (until_s - 60),
        percentile(waits, 0.99),
    )
