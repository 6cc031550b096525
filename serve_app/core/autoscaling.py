"""How many replicas the current load deserves.

    wanted = (running + depth) / (target_usage × slots per replica)

`depth` is what waits in the gateways, `running` what the replicas run, both in
sequences; a request is in exactly one of them. The answer is absolute, so a replica that
is still loading is counted by Serve, not ordered twice. Missing or old numbers are no
data, and no data means hold: it is never read as zero load.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica's latest report. `depth` is all gateways' and the same in each report."""

    running: int
    slots: int
    depth: int
    reported_at: float


@dataclass(frozen=True, slots=True)
class Load:
    """What a policy may look at; `target` is what was ordered so far, loading ones included."""

    replicas: Sequence[ReplicaLoad]
    target: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Replicas wanted, and why, in words."""

    replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class QueueDepthPolicy:
    """Enough replicas that `target_usage` of their slots hold all that runs and waits."""

    target_usage: float = 0.8
    max_age_s: float = 5.0

    def decide(self, load: Load, *, now: float) -> Decision:
        fresh = [r for r in load.replicas if now - r.reported_at <= self.max_age_s]
        if not fresh:
            return Decision(load.target, "no fresh report from any replica: hold")
        running, depth = sum(r.running for r in fresh), max(r.depth for r in fresh)
        per_replica = self.target_usage * sum(r.slots for r in fresh) / len(fresh)
        silent = len(load.replicas) - len(fresh)
        wanted = math.ceil((running + depth) / per_replica)
        if silent:
            # What the silent ones run is unknown; they may be the busiest.
            wanted = max(wanted + silent, load.target)
        reason = f"{depth} waiting and {running} running need {wanted} × {per_replica:.1f} slots"
        return Decision(wanted, f"{load.target} → {wanted}: {reason}")
