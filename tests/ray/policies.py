"""Policies with something inside that must not get out; named in the YAML of a test."""

import logging
import time
from typing import Any

from serve_app.core.autoscaling import Decision, Load
from serve_app.serving.autoscaler import ScaleOnQueueDepth

AGE = "oldest report so far"


class Raises(ScaleOnQueueDepth):
    def _decide(self, load: Load) -> Decision:
        raise RuntimeError("made to raise")


class Hangs(ScaleOnQueueDepth):
    """Spins, which is worse than a sleep: it never gives the interpreter back by itself."""

    def _decide(self, load: Load) -> Decision:
        while True:
            pass


class Watches(ScaleOnQueueDepth):
    """Decides as ever, and logs how old what it sees is."""

    def __init__(self, **policy_kwargs: Any) -> None:
        super().__init__(**policy_kwargs)
        self._age_s = 0.0

    def _decide(self, load: Load) -> Decision:
        ages = [time.time() - replica.reported_at for replica in load.replicas]
        age_s = max((age for age in ages if age < 1e6), default=0.0)  # others have not spoken
        if age_s > self._age_s:
            self._age_s = age_s
            logging.getLogger("ray.serve").info("%s: %.3f s", AGE, age_s)
        return super()._decide(load)
