"""How many replicas the load deserves, given that what is ordered now serves in L seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica's latest report. What gateways say (`depth`, `depth_tokens`, `arriving`) is
    all gateways' together and the same in each report."""

    running: int  # sequences that gateways have sent there
    slots: int
    reported_at: float
    depth: int = 0  # sequences that wait in gateways
    depth_tokens: int = 0
    arriving_tokens_per_s: float = 0.0  # prompt and expected output
    kv_usage: float = 0.0
    load_s: float = 0.0  # how long it took from its start to serving; 0 is unknown
    token_s: float = 0.0  # seconds in a slot per token of calls that ended lately; 0 is unknown
    tpot_s: float = 0.0  # mean of what decodes there, lately; 0 is unknown
    alone_tpot_s: float = 0.0  # the fastest so far; 0 is unknown
    reading: float = 0.0  # share of the time in which a prompt was not read yet, lately


@dataclass(frozen=True, slots=True)
class Load:
    """What a policy may look at. `target` is what was ordered so far, loading ones included."""

    replicas: Sequence[ReplicaLoad]  # in service
    target: int
    least: int = 0
    most: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Decision:
    """Replicas wanted, and why: `cause` in a word, for a metric; `reason` in words."""

    replicas: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Targets:
    """What a policy aims at; see `config.PolicyKnobs` for each."""

    usage: float = 0.8
    max_age_s: float = 3.0


class QueueDepthPolicy:
    """Enough replicas that a share of their slots holds all that runs and waits."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def decide(self, load: Load, *, now: float) -> Decision:
        fresh = [r for r in load.replicas if now - r.reported_at <= self._targets.max_age_s]
        if not fresh:
            return Decision(load.target, "no_data", "no fresh report from any replica: hold")
        running, depth = sum(r.running for r in fresh), max(r.depth for r in fresh)
        per_replica = self._targets.usage * sum(r.slots for r in fresh) / len(fresh)
        silent = len(load.replicas) - len(fresh)
        wanted = math.ceil((running + depth) / per_replica)
        if silent:
            # What the silent ones run is unknown; they may be the busiest.
            wanted = max(wanted + silent, load.target)
        wanted = min(load.most, max(load.least, wanted))
        reason = f"{depth} waiting and {running} running need {wanted} × {per_replica:.1f} slots"
        return Decision(wanted, "load", f"{load.target} → {wanted}: {reason}")
