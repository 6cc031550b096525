"""Policies with something inside that must not get out; named in the YAML of a test."""

import logging
import time

from serve_app.core.autoscaling import Decision, Load
from serve_app.serving.autoscaler import ScaleOnQueueDepth

AGE = "oldest report"


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

    def _decide(self, load: Load) -> Decision:
        spoken = [replica.reported_at for replica in load.replicas if replica.reported_at]
        if spoken:
            logging.getLogger("ray.serve").info("%s: %.3f s", AGE, time.time() - min(spoken))
        return super()._decide(load)
