"""Who may decide, by name: `NAME` or `NAME=TARGET`, so that a list of them is a curve."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from serve_app.checking.problem import nearest
from serve_app.checking.question import QuestionError, positive
from serve_app.config import PolicyKnobs
from serve_app.core.autoscaling import Decision, QueueDepthPolicy
from serve_app.sim.scaling.delay import Delay, Delays
from serve_app.sim.scaling.fleet import Scaler, Seen
from serve_app.sim.scaling.rivals import HpaQueue, HpaUsage, LlmD, ServeDefault, Static

ORACLE = "oracle"
OURS = "margin"  # the knob of queue-depth that is its target


@dataclass(frozen=True, slots=True)
class Ground:
    """What a policy is built on: this deployment's knobs, and what the traffic is like."""

    knobs: PolicyKnobs
    delays: Delays
    slots: int  # of a replica, for requests of the trace's mean size
    peak: int  # replicas that the busiest window needs


class QueueDepth:
    """The project's own policy, behind Serve's delays as the file sets them."""

    def __init__(self, knobs: PolicyKnobs, delay: Delay) -> None:
        self._policy = QueueDepthPolicy(knobs.to_core())
        self._delay = delay

    def decide(self, seen: Seen, *, now: float) -> Decision:
        said = self._policy.decide(seen.load, now=now)
        if not seen.ready:  # Serve does not wait then
            return said
        replicas = self._delay.replicas(said.replicas, seen.ordered, now=now)
        return Decision(replicas, said.cause, said.reason)


def _queue_depth(ground: Ground, target: float) -> Scaler:
    knobs = ground.knobs.model_copy(update={OURS: target} if target else {})
    return QueueDepth(knobs, Delay(ground.delays))


@dataclass(frozen=True, slots=True)
class Kind:
    """A policy and what its target is; `default` 0 is the file's. `sweep` are targets from loose
    to tight or the other way round, which with the default make a curve."""

    target: str
    default: float
    sweep: tuple[float, ...]
    make: Callable[[Ground, float], Scaler]


KINDS: Mapping[str, Kind] = {
    "queue-depth": Kind(OURS, 0.0, (0.1, 0.2, 0.3, 0.6, 0.8, 1.0), _queue_depth),
    "serve-default": Kind(
        "ongoing requests ÷ slots",
        0.8,
        (0.02, 0.03, 0.04, 0.05, 0.1, 0.3),
        lambda on, target: ServeDefault(target * on.slots),
    ),
    "hpa-queue": Kind(
        "waiting a replica", 5.0, (0.5, 1.0, 2.0, 10.0, 20.0), lambda _, target: HpaQueue(target)
    ),
    "hpa-usage": Kind(
        "slots in use", 0.8, (0.02, 0.03, 0.04, 0.05, 0.1, 0.3), lambda _, target: HpaUsage(target)
    ),
    "llm-d": Kind(
        "share of the SLO", 0.55, (0.6, 0.65, 0.7, 0.75, 0.8, 0.9), lambda _, target: LlmD(target)
    ),
    "static-peak": Kind(
        "of the busiest window",
        1.0,
        (0.6, 0.75, 0.85, 1.1, 1.25, 1.5),
        lambda on, target: Static(math.ceil(target * on.peak - 1e-6)),
    ),
}
NAMES = (*KINDS, ORACLE)


@dataclass(frozen=True, slots=True)
class Policy:
    """One of the names, and a target where one was given."""

    name: str
    target: float | None = None

    def __str__(self) -> str:
        return self.name if self.target is None else f"{self.name}={self.target:g}"

    def scaler(self, ground: Ground) -> Scaler:
        kind = KINDS[self.name]
        return kind.make(ground, kind.default if self.target is None else self.target)


def target_of(policy: Policy, knobs: PolicyKnobs) -> float | None:
    """In numbers, the file's where it has none of its own."""
    if policy.name == ORACLE:
        return None
    default = KINDS[policy.name].default or float(getattr(knobs, OURS))
    return default if policy.target is None else policy.target


def swept(policies: Iterable[Policy], knobs: PolicyKnobs) -> tuple[Policy, ...]:
    """Each at several targets, in their order; the oracle as it is."""
    found = dict.fromkeys(point for policy in policies for point in _points(policy, knobs))
    return tuple(found)


def _points(policy: Policy, knobs: PolicyKnobs) -> list[Policy]:
    if policy.name == ORACLE:
        return [policy]
    default = target_of(Policy(policy.name), knobs)
    others = (Policy(policy.name, t) for t in KINDS[policy.name].sweep if t != default)
    points = {Policy(policy.name), policy, *others}
    return sorted(points, key=lambda point: target_of(point, knobs) or 0.0)


def parse(text: str) -> tuple[Policy, ...]:
    """`queue-depth,llm-d=0.7` as two policies; raises `QuestionError`."""
    return tuple(dict.fromkeys(_policy(part.strip()) for part in text.split(",")))


def _policy(text: str) -> Policy:
    name, has_target, target = text.partition("=")
    if name not in NAMES:
        near = nearest(name, [known.replace("-", "_") for known in NAMES]).replace("_", "-")
        raise QuestionError(f"there is no policy {name}{near} (has: {', '.join(NAMES)})")
    if has_target and name == ORACLE:
        raise QuestionError("the oracle has no target of its own; --attainment is what it reaches")
    return Policy(name, positive(target, f"the target of {name}") if has_target else None)
