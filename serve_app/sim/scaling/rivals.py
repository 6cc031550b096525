"""What others do, as they publish it; each with a target of its own, for a curve over it.

Their metrics are a second old here, which is better than any of them gets: Ray's are up to
16 s old, Prometheus' 15 to 60 s.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from serve_app.core.autoscaling import Decision
from serve_app.sim.scaling.delay import Delay
from serve_app.sim.scaling.fleet import Seen
from serve_app.sim.scaling.hpa import TOLERANCE, Behavior, Hpa

LLM_D_BEHAVIOR = Behavior(
    up_window_s=30, up_period_s=60, down_window_s=180, down_pods=1, down_period_s=120
)


class Mean:
    """Of the numbers of the last `window_s`."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._numbers: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def add(self, number: float, *, now: float) -> float:
        self._numbers.append((now, number))
        self._sum += number
        while self._numbers[0][0] <= now - self._window_s:
            self._sum -= self._numbers.popleft()[1]
        return self._sum / len(self._numbers)


class ServeDefault:
    """Ray Serve 2.60, `replica_queue_length_autoscaling_policy` with its defaults.

    Requests that wait or run, mean of `look_back_period_s`, ÷ `target_ongoing_requests`; an
    up must be wanted for `upscale_delay_s` without a break, a down for `downscale_delay_s`,
    and then what is wanted at that moment is taken. Both factors are 1. ray.serve.llm sets
    the target to 1e9, and so never scales; here it is what the operator chose.
    """

    LOOK_BACK_S = 30.0

    def __init__(self, target_ongoing: float) -> None:
        self._target = target_ongoing
        self._ongoing = Mean(self.LOOK_BACK_S)
        self._delay = Delay()

    def decide(self, seen: Seen, *, now: float) -> Decision:
        ongoing = self._ongoing.add(seen.running + seen.waiting, now=now)
        wanted = math.ceil(ongoing / self._target) if seen.ready else seen.ordered
        if not seen.ready and ongoing:  # the first one starts without a delay
            return Decision(max(1, seen.ordered), "cold_start", "none is ready")
        replicas = self._delay.replicas(wanted, seen.ordered, now=now)
        return Decision(replicas, "ongoing", f"{ongoing:.1f} ongoing ÷ {self._target:.1f}")


class HpaQueue:
    """KEDA as vLLM's production-stack documents it (use_cases/autoscaling-keda): waiting
    requests, AverageValue 5, through a HPA with Kubernetes' defaults: ceil(waiting ÷ target).

    What runs does not count: while nothing waits it goes to the minimum, 300 s later, however
    busy the replicas are, and then everything waits. That is what it does.
    """

    def __init__(self, target_waiting: float = 5.0) -> None:
        self._target = target_waiting
        self._hpa = Hpa(Behavior())

    def decide(self, seen: Seen, *, now: float) -> Decision:
        if not self._hpa.is_due(now):
            return _same(seen)
        advice = math.ceil(seen.waiting / self._target)
        if _is_near(seen.waiting, self._target * seen.ordered):
            advice = seen.ordered
        return _set(self._hpa, advice, seen, f"{seen.waiting} wait ÷ {self._target:g}", now)


class HpaUsage:
    """A HPA with Kubernetes' defaults on the share of slots in use, a Pods metric: on the way
    up, replicas that still load count as idle ones."""

    def __init__(self, usage: float = 0.8) -> None:
        self._usage = usage
        self._hpa = Hpa(Behavior())

    def decide(self, seen: Seen, *, now: float) -> Decision:
        slots = sum(replica.slots for replica in seen.load.replicas)
        if not slots or not self._hpa.is_due(now):
            return _same(seen)
        busy = seen.ready * seen.running / slots  # replicas' worth
        full = self._usage * seen.ready
        counted = seen.ordered if busy > full else seen.ready
        advice = math.ceil(busy / self._usage)
        if _is_near(busy, full) or (busy > full and busy < self._usage * counted):
            advice = seen.ordered
        return _set(self._hpa, advice, seen, f"{busy:.2f} replicas' slots are in use", now)


@dataclass(slots=True)
class LlmD:
    """llm-d's SLO-aware recipe (docs/architecture/autoscaling/slo-aware.md), on a KEDA HPA.

    s = mean over 45 s of min(2, max(P90 TTFT ÷ SLO, P90 TPOT ÷ SLO)); with n ordered, r ready:

        s > up:    n + ⌈n (s × r/n ÷ up − 1)⌉    so that loading pods are not asked for again
        s < down:  n − ⌊n (1 − s ÷ down)⌋
        else n

    up is 0.55 and down 0.40; the recipe says to raise both where an unloaded request is close
    to the SLO, and a limit of twice the unloaded TPOT is: s is never below 0.5 while anything
    runs, and it never shrinks. `up` is the target; down keeps its ratio to it. Assumed: the P90s
    are measured, over 30 s instead of a minute, each request is held against its own limit, and
    the credit does not make an up a down.
    """

    up: float = 0.55
    _hpa: Hpa = field(default_factory=lambda: Hpa(LLM_D_BEHAVIOR))
    _saturation: Mean = field(default_factory=lambda: Mean(45.0))

    def decide(self, seen: Seen, *, now: float) -> Decision:
        s = self._saturation.add(min(2.0, max(seen.ttft_p90, seen.tpot_p90)), now=now)
        if not self._hpa.is_due(now):
            return _same(seen)
        return _set(self._hpa, self.advice(s, seen.ordered, seen.ready), seen, f"s = {s:.2f}", now)

    def advice(self, s: float, ordered: int, ready: int) -> int:
        down = self.up * 0.40 / 0.55
        if s > self.up:
            credit = ready / ordered if 0 < ready < ordered else 1.0
            return ordered + max(0, math.ceil(ordered * (s * credit / self.up - 1)))
        if s < down:
            return ordered - math.floor(ordered * (1 - s / down))
        return ordered


@dataclass(frozen=True, slots=True)
class Static:
    """So many, always; for the busiest window, what a team does that does not scale."""

    replicas: int

    def decide(self, seen: Seen, *, now: float) -> Decision:  # noqa: ARG002 - it looks at nothing
        return Decision(self.replicas, "static", f"always {self.replicas}")


def _is_near(value: float, full: float) -> bool:
    """Whether a HPA would leave it: within its tolerance."""
    return bool(full) and abs(value / full - 1.0) <= TOLERANCE


def _same(seen: Seen) -> Decision:
    return Decision(seen.ordered, "hold", "not due")


def _set(hpa: Hpa, advice: int, seen: Seen, why: str, now: float) -> Decision:
    least, most = seen.load.least, seen.load.most
    replicas = hpa.replicas(advice, seen.ordered, least=least, most=most, now=now)
    return Decision(replicas, "hpa", f"{why}: advice {advice}")
