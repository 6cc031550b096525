"""How many replicas the load deserves, given that what is ordered now serves in L seconds.

    in use    what the replicas do, as a number of full ones
    arriving  tokens per second ÷ what a full replica does
    level     the larger of the two
    growing   sequences per second by which it becomes more that runs above what all carry in time,
              over the calm window, ÷ the answers per second of a full replica
    now       the level of the burst window + growing + what waits ÷ `drain_s`
    peak      the highest level of the calm window in the last `stabilization_s` + `keep` × L
    later     peak + `margin` × √peak × the largest of 1 + (L ÷ 340 s)^1.5, √(peak ÷ 6) and
              √(6.5 ÷ full), of the fewest sequences of a full replica in that time
              + what will wait at now + L ÷ `drain_s`
    need      the larger of now and later

A full replica is one at which as many answers are late as `target_late` allows (core/capacity.py).
What was needed lately may come back while a replica loads, so it is kept for some load times; and
whoever comes at random is as far off as the root of how many come (square-root staffing: Halfin
and Whitt, 1981), which costs more the longer help takes. Where a full replica has few sequences
it is they who are many: peak × full are off by their root, which is √(peak ÷ full) replicas,
however soon help comes. And what all do alike, as when prompts become longer, is off by a share of
the load, which is more than its root where replicas are many. What more than all carry piles up in
the replicas, and by how much each second is what nobody does. More are ordered as soon as the need
is higher than what is ordered, loading ones included.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve_app.core.capacity import Capacity
from serve_app.core.ceiling import Ceiling
from serve_app.core.growth import Growth
from serve_app.core.load_time import LoadTime
from serve_app.core.peak import Peak
from serve_app.core.report import Load, ReplicaLoad
from serve_app.core.window import Window

LOOK_S = 0.5  # reports are no newer; Serve asks ten times a second
DOUBLES_S = 340.0  # a load time that doubles the margin
GROWS = 1.5  # the margin, with the load time
FEW = 6.5  # sequences of a full replica; fewer of them are farther off than a load is
MANY = 6.0  # replicas; more of them are off by a share of the load
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

    late: float = 0.05
    margin: float = 0.55
    load_s: float = 120.0
    drain_s: float = 30.0
    burst_s: float = 5.0
    calm_s: float = 20.0
    stabilization_s: float = 360.0
    keep: float = 6.0
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


class Means:
    """Of what is in use, in replicas, and of what arrives, in tokens/s, over one window."""

    def __init__(self, seconds: float) -> None:
        self._in_use = Window(seconds)
        self._arriving = Window(seconds)

    def add(self, in_use: float, arriving: float, *, now: float) -> None:
        self._in_use.add(in_use, now=now)
        self._arriving.add(arriving, now=now)

    @property
    def in_use(self) -> float:
        return self._in_use.mean()

    @property
    def arriving(self) -> float:
        return self._arriving.mean()


class QueueDepthPolicy:
    """Of one deployment. Its memory is of what it saw; the same history, the same answer."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._capacity = Capacity(targets.late)
        self._load_time = LoadTime(targets.load_s)
        self._burst = Means(targets.burst_s)
        self._calm = Means(targets.calm_s)
        self._growth = Growth(targets.calm_s)
        self._levels = Peak()
        self._parts = Peak()  # of a full replica that one sequence is
        self._needs = Peak()
        self._began_at = math.inf
        self._looked_at = -math.inf

    def __repr__(self) -> str:
        return f"<QueueDepthPolicy {self._capacity!r}, {self._load_time!r}>"

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
        in_use = self._capacity.usage(fresh) * serving / len(fresh)
        arriving = max(replica.arriving_tokens_per_s for replica in fresh)
        running = sum(replica.running for replica in fresh) * serving / len(fresh)
        full = self._capacity.sequences(fresh)
        self._growth.add(running, full * serving, now=now)
        self._parts.add(1 / full, now=now)
        self._burst.add(in_use, arriving, now=now)
        self._calm.add(in_use, arriving, now=now)
        self._levels.add(self._level(self._calm.in_use, self._calm.arriving), now=now)
        need = self._need(fresh, serving, now)
        self._needs.add(need.now, now=now)
        self._capacity.learn(fresh, seconds=now - self._looked_at)
        self._looked_at = now
        return need

    def _level(self, in_use: float, arriving: float) -> float:
        """The load in full replicas."""
        full = self._capacity.tokens_per_s
        return max(in_use, arriving / full if full else 0.0)

    def _need(self, fresh: Sequence[ReplicaLoad], serving: int, now: float) -> Need:
        waits_s = self._waits_s(fresh)
        arriving = self._burst.arriving if waits_s else self._calm.arriving
        level = self._level(self._burst.in_use, arriving)
        load_s, drain_s = self._load_time.load_s, self._targets.drain_s
        served_s = self._load_time.served_by(now + load_s, serving=serving, now=now)
        will_wait_s = max(0.0, waits_s + level * load_s - served_s) if waits_s else 0.0
        later = self._foreseen(load_s, now) + will_wait_s / drain_s
        return Need(level + self._growing + waits_s / drain_s, later, load_s)

    @property
    def _growing(self) -> float:
        """What comes and cannot be done, in replicas."""
        full = self._capacity.answers_per_s
        return max(0.0, self._growth.per_s) / full if full else 0.0

    def _foreseen(self, load_s: float, now: float) -> float:
        """What the level may be by the time that what is ordered now serves."""
        peak, part = (each.over(self._kept_s, now=now) for each in (self._levels, self._parts))
        slow = 1 + math.pow(load_s / DOUBLES_S, GROWS)
        worth = max(slow, math.sqrt(FEW * part), math.sqrt(peak / MANY))
        return peak + self._targets.margin * math.sqrt(peak) * worth

    @property
    def _kept_s(self) -> float:
        """For how long a replica is kept that was needed."""
        return self._targets.stabilization_s + self._targets.keep * self._load_time.load_s

    def _waits_s(self, fresh: Sequence[ReplicaLoad]) -> float:
        """What waits, in seconds of a full replica; unknown until the first call has ended."""
        full = self._capacity.tokens_per_s
        return max(r.depth_tokens for r in fresh) / full if full else 0.0

    def _wanted(self, need: Need, load: Load, fresh: int, now: float) -> int:
        lately = self._needs.over(self._targets.stabilization_s, now=now)
        wanted, kept = (math.ceil(most - CLOSE) for most in (need.most, max(lately, need.most)))
        if kept < load.target:
            is_new = now - self._began_at < self._kept_s
            is_partly_silent = fresh < len(load.replicas)  # who is silent may be the busiest
            return load.target if is_new or is_partly_silent else kept
        return max(wanted, load.target)


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
