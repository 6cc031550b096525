"""How many replicas the load deserves, given that what is ordered now serves in L seconds.

    in use    what the replicas do, as a number of full ones; mean of the burst window
    arriving  tokens per second ÷ what a full replica does; mean of the calm window, of the
              burst window while somebody waits
    now       the larger of the two + what waits ÷ `drain_s`
    later     the larger of the two × growth + what will wait at now + L ÷ `drain_s`
    need      the larger of now and later ÷ `target_usage`

More are ordered as soon as the need is higher than what is ordered, loading ones included.
Some are let go when the highest need of the last `stabilization_s` is lower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.core.capacity import Capacity
from serve_app.core.growth import Growth
from serve_app.core.load_time import LoadTime
from serve_app.core.report import Load, ReplicaLoad
from serve_app.core.window import Window

LOOK_S = 0.5  # reports are no newer; Serve asks ten times a second
CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Decision:
    """Replicas wanted, and why: `cause` in a word, for a metric; `reason` in words."""

    replicas: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Targets:
    """What a policy aims at; see `config.PolicyKnobs` for each."""

    usage: float = 0.85
    slowdown: float = 2.0
    caution: float = 0.9
    load_s: float = 120.0
    drain_s: float = 30.0
    burst_s: float = 15.0
    calm_s: float = 45.0
    stabilization_s: float = 300.0
    max_age_s: float = 5.0
    max_step: int | None = None
    most: int | None = None  # that the budget pays for


@dataclass(frozen=True, slots=True)
class Need:
    """In replicas; `load_s` seconds from now the load is `later`."""

    now: float
    later: float
    load_s: float

    @property
    def most(self) -> float:
        return max(self.now, self.later)


class QueueDepthPolicy:
    """Of one deployment. Its memory is of what it saw; the same history, the same answer."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._capacity = Capacity(targets.slowdown)
        self._growth = Growth(targets.caution)
        self._load_time = LoadTime(targets.load_s)
        self._in_use = Window(targets.burst_s)
        self._in_use_calm = Window(targets.calm_s)
        self._arriving = Window(targets.calm_s)
        self._arriving_burst = Window(targets.burst_s)
        self._needs = Window(targets.stabilization_s)
        self._since: float | None = None
        self._looked_at = -math.inf

    def __repr__(self) -> str:
        return f"<QueueDepthPolicy {self._capacity!r}, {self._growth!r}>"

    def decide(self, load: Load, *, now: float) -> Decision:
        fresh = [r for r in load.replicas if now - r.reported_at <= self._targets.max_age_s]
        self._load_time.saw(load, now=now)
        if not fresh:
            return Decision(load.target, "no_data", "no fresh report from any replica: hold")
        if self._since is None:
            self._since = now
        if now - self._looked_at >= LOOK_S:
            self._look(fresh, load, now)
        return self._decision(load, fresh, now)

    def _look(self, fresh: Sequence[ReplicaLoad], load: Load, now: float) -> None:
        usage = self._capacity.usage(fresh) * len(load.replicas) / len(fresh)
        arriving = max(replica.arriving_tokens_per_s for replica in fresh)
        self._in_use.add(usage, now=now)
        self._in_use_calm.add(usage, now=now)
        self._arriving.add(arriving, now=now)
        self._arriving_burst.add(arriving, now=now)
        self._growth.add(max(self._in_use_calm.mean(), self._full(self._arriving.mean())), now=now)
        self._needs.add(self._need(fresh, len(load.replicas), now).most, now=now)
        self._capacity.learn(fresh, seconds=min(now - self._looked_at, 10 * LOOK_S))
        self._looked_at = now

    def _full(self, tokens_per_s: float) -> float:
        """Replicas that so many tokens keep busy."""
        known = self._capacity.tokens_per_s
        return tokens_per_s / known if known else 0.0

    def _need(self, fresh: Sequence[ReplicaLoad], serving: int, now: float) -> Need:
        depth_s = self._depth_s(fresh)
        arriving = self._arriving_burst if depth_s else self._arriving
        level = max(self._in_use.mean(), self._full(arriving.mean()))
        load_s, drain_s = self._load_time.load_s, self._targets.drain_s
        coming_s = self._load_time.served_by(now + load_s, serving=serving, now=now)
        left_s = max(0.0, depth_s + level * load_s - coming_s) if depth_s else 0.0
        growth = self._growth.factor(load_s, now=now)
        u = self._targets.usage
        return Need((level + depth_s / drain_s) / u, (level * growth + left_s / drain_s) / u, load_s)

    def _depth_s(self, fresh: Sequence[ReplicaLoad]) -> float:
        """What waits, in seconds of a full replica."""
        tokens = max(replica.depth_tokens for replica in fresh)
        if self._capacity.tokens_per_s:
            return tokens / self._capacity.tokens_per_s
        depth = max(replica.depth for replica in fresh)
        return depth / self._capacity.sequences(fresh) * self._targets.drain_s

    def _decision(self, load: Load, fresh: Sequence[ReplicaLoad], now: float) -> Decision:
        need = self._need(fresh, len(load.replicas), now)
        wanted = math.ceil(need.most - CLOSE)
        kept = math.ceil(max(self._needs.peak(), need.most) - CLOSE)
        if wanted <= load.target:
            wanted = min(load.target, kept)
            if now - self._since < self._targets.stabilization_s or len(fresh) < len(load.replicas):
                wanted = load.target
        out = min(load.most, max(load.least, wanted))
        return Decision(out, "load", f"{load.target} → {out}: {need}")
