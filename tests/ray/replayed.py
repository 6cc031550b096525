"""The simulator's replicas over time, for requests that were really sent; and whether those
that were really there followed them."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serve_app.config import Limits
from serve_app.core.load_time import LoadTime
from serve_app.core.report import Load, ReplicaLoad
from serve_app.serving.screen import screen
from serve_app.sim.scaling.fleet import Slo
from serve_app.sim.scaling.replay import Replay
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.simulate.deployment import deployment
from serve_app.sim.simulate.policies import Ground, Policy
from serve_app.sim.simulate.question import Bounds, setup
from serve_app.sim.simulate.rates import rates_of
from serve_app.sim.traffic import Arrival
from tests.ray.fleet import INTERVAL_S, Seen
from tests.ray.traffic import PATH, Asked, Told, body

REPLICAS = 1
SECONDS = 5.0


@dataclass(frozen=True)
class Difference:
    """At a time at which so many served, the simulator never came near that number."""

    at_s: float
    live: int
    simulated: tuple[int, ...]  # within `SECONDS`


def load_time_s(seen: Sequence[Seen]) -> float:
    """From order to service, as a policy learns it."""
    learned = LoadTime(0.0)
    silent = ReplicaLoad(0, 1, 0.0)
    for at_s, wanted, serving in seen:
        learned.saw(Load([silent] * serving, wanted), now=at_s)
    return learned.load_s


def simulated(
    file: Path, model: str, sent: Sequence[tuple[Asked, Told]], *, load_s: float, until_s: float
) -> list[Seen]:
    """What `serve-app simulate` makes of the model's deployment in `file`, and what was sent."""
    found = deployment(file, model)
    rates = rates_of(found, calibration=None, hardware=None)
    bounds = Bounds(found.least, found.most)
    whole = replace(setup(found, rates, bounds, Slo()), load_s=load_s, initial=found.least)
    ground = Ground(found.policy, found.delays, slots=0, peak=0)
    arrivals = [_arrival(model, asked, told) for asked, told in sent]
    return _played(Policy("queue-depth"), ground, whole, arrivals, until_s)


def _played(
    policy: Policy, ground: Ground, whole: Setup, arrivals: Sequence[Arrival], until_s: float
) -> list[Seen]:
    replay = Replay(policy.scaler(ground), whole, lambda _: None)
    clock, replicas, seen = replay.clock, replay.replicas, list[Seen]()
    clock.every(INTERVAL_S, lambda: seen.append((clock.now, replicas.ordered, len(replicas.ready))))
    replay.play(sorted(arrivals, key=lambda arrival: arrival.at_s))
    clock.run(until_s=until_s)
    return seen


def _arrival(model: str, asked: Asked, told: Told) -> Arrival:
    prompt = screen(PATH, body(model, asked), Limits()).prompt_tokens
    return Arrival(told.began_s, model, prompt, asked.max_tokens, asked.max_tokens)


def differences(live: Sequence[Seen], replay: Sequence[Seen]) -> Iterator[Difference]:
    """Where no moment within `SECONDS` had as many replicas in service, give or take one. Those
    that come at once pass through all numbers between."""
    times = [at_s for at_s, *_ in replay]
    for at_s, _, serving in live:
        # What held when the time began was seen before it.
        first = max(0, bisect_right(times, at_s - SECONDS) - 1)
        near = sorted({ready for *_, ready in replay[first : bisect_right(times, at_s + SECONDS)]})
        if not near[0] - REPLICAS <= serving <= near[-1] + REPLICAS:
            yield Difference(at_s, serving, tuple(near))
