"""Policies with something inside that must not get out; named in the YAML of a test."""

import logging
from typing import Any

from serve_app.core.autoscaling import Decision, Load, QueueDepthPolicy, Targets
from serve_app.serving.autoscaler import ScaleOnQueueDepth

AGE = "oldest report"


class _Raising:
    def decide(self, load: Load, *, now: float) -> Decision:
        raise RuntimeError("made to raise")


class _Hanging:
    """Spins, which is worse than a sleep: it never gives the interpreter back by itself."""

    def decide(self, load: Load, *, now: float) -> Decision:
        while True:
            pass


class _Watching(QueueDepthPolicy):
    """Logs how old what it sees is."""

    def decide(self, load: Load, *, now: float) -> Decision:
        ages = [now - replica.reported_at for replica in load.replicas if replica.reported_at]
        if ages:
            logging.getLogger("ray.serve").info("%s %.3f s", AGE, max(ages))
        return super().decide(load, now=now)


class Raises(ScaleOnQueueDepth):
    def __init__(self, **policy_kwargs: Any) -> None:
        super().__init__(**policy_kwargs)
        self.policy = _Raising()  # type: ignore[assignment]


class Hangs(ScaleOnQueueDepth):
    def __init__(self, **policy_kwargs: Any) -> None:
        super().__init__(**policy_kwargs)
        self.policy = _Hanging()  # type: ignore[assignment]


class Watches(ScaleOnQueueDepth):
    def __init__(self, **policy_kwargs: Any) -> None:
        super().__init__(**policy_kwargs)
        self.policy = _Watching(Targets())
