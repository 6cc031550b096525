"""A fleet with a policy, in which replicas load for 20 s, and what its replicas report."""

from collections.abc import Sequence

from serve_app.core.autoscaling import QueueDepthPolicy, Targets
from serve_app.core.report import Load, ReplicaLoad

TARGETS = Targets(load_s=20.0, stabilization_s=40.0, keep=1.0)
KEPT_S = int(TARGETS.stabilization_s + TARGETS.keep * TARGETS.load_s)
SLOTS = 10
TOKEN_S = 0.01  # a slot does 100 tokens a second, and a replica 1000


def report(running: int = 0, **more: float) -> ReplicaLoad:
    return ReplicaLoad(running, SLOTS, 0.0, token_s=TOKEN_S, load_s=20.0, **more)  # type: ignore[arg-type]


class Fleet:
    """A policy, replicas that load for 20 s, and a clock."""

    def __init__(
        self, target: int = 1, least: int = 0, most: int = 100, targets: Targets = TARGETS
    ) -> None:
        self.policy = QueueDepthPolicy(targets)
        self.now, self.target, self.least, self.most = 1000.0, target, least, most
        self.wanted = [target]
        self.backlog = 0.0  # tokens
        self._comes = [0.0] * target

    @property
    def serving(self) -> int:
        return sum(at <= self.now for at in self._comes)

    def sees(self, reports: Sequence[ReplicaLoad], *, age_s: float = 0.0) -> int:
        self.now += 1.0
        seen = [r._replace(reported_at=self.now - age_s) for r in reports]
        load = Load(seen, self.target, self.least, self.most)
        self.target = self.policy.decide(load, now=self.now).replicas
        self._comes = self._comes[: self.target]
        self._comes += [self.now + 20.0] * (self.target - len(self._comes))
        self.wanted.append(self.target)
        return self.target

    def holds(self, busy: float, seconds: int) -> int:
        """Traffic that keeps so many replicas busy; what those that serve cannot do waits."""
        for _ in range(seconds):
            serving = max(1, self.serving)
            self.backlog = max(0.0, self.backlog + (busy - serving) * 1000.0)
            each = SLOTS if self.backlog else int(busy * SLOTS / serving)
            waits = {"depth": int(self.backlog / 100), "depth_tokens": int(self.backlog)}
            self.sees([report(each, arriving_tokens_per_s=busy * 1000.0, **waits)] * serving)
        return self.target
