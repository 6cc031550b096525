"""What is read off a replay: who was served in time, what it cost, and when it was not.

| | |
|---|---|
| attainment | requests that met both limits of the SLO ÷ all requests; a refusal is a miss |
| replica-hours | paid for: loading, ready and draining, up to the last arrival |
| held ÷ busy | mean of replicas held ÷ mean of replicas that what ran would have filled |
| orders an hour | changes of what is wanted |
| worst backlog | the most that waited |
| recovery | the longest time in which more than `BACKLOG` a ready replica waited |
| worst minutes | those of arrival with the most misses |

What samples tell, times and the backlog, is as exact as they are close: 10 s.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from serve_app.sim.scaling.fleet import Sample, Story

BACKLOG = 5  # waiting for each ready replica: where production-stack's KEDA adds one
MINUTE_S = 60
WORST_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of arrivals."""

    at_s: float
    requests: int
    misses: int


@dataclass(frozen=True, slots=True)
class Measures:
    """One replay in numbers. `ttft_s` by percentile; a request without a first token is endless."""

    requests: int
    attainment: float
    ttft_met: float  # share, of each limit alone
    tpot_met: float
    refused: int
    evicted: int
    replica_hours: float
    held_to_busy: float
    orders_per_hour: float
    worst_backlog: int
    recovery_s: float
    ttft_s: dict[str, float]
    worst_minutes: tuple[Minute, ...]


def measures(story: Story) -> Measures:
    count = len(story.at_s)
    return Measures(
        requests=count,
        attainment=_share(sum(map(story.met, range(count))), count),
        ttft_met=_share(sum(ratio <= 1.0 for ratio in story.ttft_ratio), count),
        tpot_met=_share(sum(ratio <= 1.0 for ratio in story.tpot_ratio), count),
        refused=story.refused,
        evicted=story.evicted,
        replica_hours=story.replica_s / 3600,
        held_to_busy=held_to_busy(story),
        orders_per_hour=len(_during(story)) * 3600 / max(1.0, story.seconds),
        worst_backlog=max((sample.depth for sample in story.samples), default=0),
        recovery_s=recovery_s(story.samples),
        ttft_s=percentiles(sorted(story.ttft_s)),
        worst_minutes=worst_minutes(story),
    )


def percentiles(ordered: Sequence[float]) -> dict[str, float]:
    """The smallest value that is at least as large as so many.

    >>> percentiles([1.0, 2.0, 3.0])
    {'p50': 2.0, 'p95': 3.0, 'p99': 3.0}
    """
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    places = {name: max(0, math.ceil(share * len(ordered)) - 1) for name, share in shares.items()}
    return {name: ordered[place] for name, place in places.items()} if ordered else {}


def held_to_busy(story: Story) -> float:
    """1 is a fleet whose slots are all in use all the time."""
    during = [sample for sample in story.samples if sample.at_s <= story.seconds]
    busy = sum(sample.running for sample in during) / story.slots
    return sum(sample.held for sample in during) / busy if busy else math.inf


def recovery_s(samples: Sequence[Sample]) -> float:
    """From the first sample with a backlog to the first without one, or to the end."""
    longest_s, since = 0.0, None
    for sample in samples:
        if since is not None:
            longest_s = max(longest_s, sample.at_s - since)
        if sample.depth <= BACKLOG * sample.ready:
            since = None
        elif since is None:
            since = sample.at_s
    return longest_s


def minutes(story: Story) -> Iterator[Minute]:
    """Those in which something arrived, in order."""
    asked: Counter[int] = Counter()
    missed: Counter[int] = Counter()
    for index, at_s in enumerate(story.at_s):
        minute = int(at_s // MINUTE_S)
        asked[minute] += 1
        missed[minute] += not story.met(index)
    for minute in sorted(asked):
        yield Minute(minute * MINUTE_S, asked[minute], missed[minute])


def worst_minutes(story: Story) -> tuple[Minute, ...]:
    ordered = sorted(minutes(story), key=lambda minute: (-minute.misses, minute.at_s))
    return tuple(minute for minute in ordered[:WORST_MINUTES] if minute.misses)


def _during(story: Story) -> list[float]:
    return [order.at_s for order in story.orders if order.at_s <= story.seconds]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
