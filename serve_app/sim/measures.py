"""What is read off a replay: percentiles, shares of service, how even they are."""

import math
from collections.abc import Iterable, Mapping, Sequence

from serve_app.sim.record import Outcome, Record
from serve_app.sim.world import World

MINUTE_S = 60


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that is at least as large as `share` of them.

    >>> percentile([3, 1, 2, 4], 0.5)
    2
    """
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


def jain(values: Sequence[float]) -> float:
    """Jain's index: 1 when all are equal, 1/n when one has everything.

    >>> jain([1, 1, 1]), jain([1, 0])
    (1.0, 0.5)
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def of_tenant(world: World, tenant: str) -> list[Record]:
    return [record for record in world.records if record.arrival.tenant == tenant]


def ttfts_s(world: World, tenant: str, *, until_s: float) -> list[float]:
    """Of all that arrived before `until_s`; one without a first token counts as endless."""
    records = [r for r in of_tenant(world, tenant) if r.arrival.at_s < until_s]
    return [float("inf") if r.ttft_s is None else r.ttft_s for r in records]


def share_within(values: Sequence[float], limit: float) -> float:
    return sum(value <= limit for value in values) / len(values)


def worst_minute(world: World, weights: Mapping[str, float], *, from_s: int, until_s: int) -> float:
    """The lowest Jain index of service ÷ weight over any minute between in which all tenants
    had something waiting all the time; minutes begin at every second."""
    service = world.service
    return min(
        jain([service.between(t, start, start + MINUTE_S) / w for t, w in weights.items()])
        for start in range(from_s, until_s - MINUTE_S + 1)
        if all(service.was_backlogged(t, start, start + MINUTE_S) for t in weights)
    )


def finished_per_s(world: World, *, from_s: float, until_s: float) -> float:
    ended = [r.ended_at for r in world.records if r.outcome is Outcome.FINISHED]
    return sum(from_s <= at < until_s for at in ended if at is not None) / (until_s - from_s)
