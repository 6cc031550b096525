"""How many replicas the load deserves, given that what is ordered now serves in L seconds.

    in use    what the replicas do, as a number of full ones; mean of the burst window
    arriving  tokens per second ÷ what a full replica does; mean of the calm window, of the
              burst window while somebody waits
    now       the larger of the two + what waits ÷ `drain_s`
    later     the larger of the two × growth + what will wait at now + L ÷ `drain_s`
    need      the larger of now and later

A full replica is one at which as many answers are late as `target_late` allows (core/capacity.py).
More are ordered as soon as the need is higher than what is ordered, loading ones included.
Some are let go when the highest need of the last `stabilization_s` is lower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve_app.core.capacity import Capacity
from serve_app.core.ceiling import Ceiling
from serve_app.core.growth import Growth
from serve_app.core.load_time import LoadTime
from serve_app.core.report import Load, ReplicaLoad
from serve_app.core.window import Window

LOOK_S = 0.5  # reports are no newer; Serve asks ten times a second
LONGEST_LOOK_S = 5.0  # what one report may stand for
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

    late: float = 0.0275
    caution: float = 0.9
    load_s: float = 120.0
    drain_s: float = 30.0
    burst_s: float = 15.0
    calm_s: float = 45.0
    stabilization_s: float = 300.0
    max_age_s: float = 5.0
    ceiling: Ceiling = field(default_factory=Ceiling)


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
        self._capacity = Capacity(targets.late)
        self._growth = Growth(targets.caution)
        self._load_time = LoadTime(targets.load_s)
        self._in_use = Window(targets.burst_s)
        self._arriving = Window(targets.calm_s)
        self._arriving_burst = Window(targets.burst_s)
        self._needs = Window(targets.stabilization_s)
        self._began_at = math.inf
        self._looked_at = -math.inf

    def __repr__(self) -> str:
        return f"<QueueDepthPolicy {self._capacity!r}, {self._growth!r}>"

    def decide(self, load: Load, *, now: float) -> Decision:
        """For reports in any order; `now` must not go back."""
        self._load_time.saw(load, now=now)
        fresh = [r for r in load.replicas if now - r.reported_at <= self._targets.max_age_s]
        if not fresh:
            return Decision(load.target, "no_data", "no fresh report from any replica: hold")
        self._began_at = min(self._began_at, now)
        need = self._look(fresh, len(load.replicas), now)
        wanted = self._wanted(need, load, len(fresh), now)
        most, limit = self._targets.ceiling.of(load)
        bounded = max(load.least, min(most, wanted))
        reason = _reason(need, load, fresh, bounded, now)
        return Decision(bounded, "load", reason + f", held by {limit}" * (bounded < wanted))

    def _look(self, fresh: Sequence[ReplicaLoad], serving: int, now: float) -> Need:
        """Take the reports into the windows, and learn from them for the next look: so that a
        load that is higher never says of itself that it is none."""
        if now - self._looked_at < LOOK_S:
            return self._need(fresh, serving, now)
        self._in_use.add(self._capacity.usage(fresh) * serving / len(fresh), now=now)
        arriving = max(replica.arriving_tokens_per_s for replica in fresh)
        self._arriving.add(arriving, now=now)
        self._arriving_burst.add(arriving, now=now)
        self._growth.add(self._level(self._arriving), now=now)
        need = self._need(fresh, serving, now)
        self._needs.add(need.most, now=now)
        self._capacity.learn(fresh, seconds=min(now - self._looked_at, LONGEST_LOOK_S))
        self._looked_at = now
        return need

    def _level(self, arriving: Window) -> float:
        """The load in full replicas."""
        full = self._capacity.tokens_per_s
        return max(self._in_use.mean(), arriving.mean() / full if full else 0.0)

    def _need(self, fresh: Sequence[ReplicaLoad], serving: int, now: float) -> Need:
        waits_s = self._waits_s(fresh)
        level = self._level(self._arriving_burst if waits_s else self._arriving)
        load_s, drain_s = self._load_time.load_s, self._targets.drain_s
        served_s = self._load_time.served_by(now + load_s, serving=serving, now=now)
        will_wait_s = max(0.0, waits_s + level * load_s - served_s) if waits_s else 0.0
        later = level * self._growth.factor(load_s, now=now) + will_wait_s / drain_s
        return Need(level + waits_s / drain_s, later, load_s)

    def _waits_s(self, fresh: Sequence[ReplicaLoad]) -> float:
        """What waits, in seconds of a full replica; unknown until the first call has ended."""
        full = self._capacity.tokens_per_s
        return max(r.depth_tokens for r in fresh) / full if full else 0.0

    def _wanted(self, need: Need, load: Load, fresh: int, now: float) -> int:
        wanted = math.ceil(need.most - CLOSE)
        if wanted < load.target:
            is_new = now - self._began_at < self._targets.stabilization_s
            is_partly_silent = fresh < len(load.replicas)  # who is silent may be the busiest
            kept = math.ceil(max(self._needs.peak(), need.most) - CLOSE)
            return load.target if is_new or is_partly_silent else min(load.target, kept)
        return wanted


def _reason(need: Need, load: Load, fresh: Sequence[ReplicaLoad], wanted: int, now: float) -> str:
    """3 → 5: 41 waiting (180000 tokens), 96 running need 4.6 replicas by 14:03:20, 1 loading"""
    depth, tokens = max(r.depth for r in fresh), max(r.depth_tokens for r in fresh)
    running, loading = sum(r.running for r in fresh), max(0, load.target - len(load.replicas))
    said = f"{depth} waiting ({tokens} tokens), {running} running need {need.most:.1f} replicas"
    if need.later > need.now:
        said += f" by {_clock(now + need.load_s)}"
    return f"{load.target} → {wanted}: {said}, {loading} loading"


def _clock(at: float) -> str:
    """Of the day, UTC."""
    seconds = int(at) % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"
