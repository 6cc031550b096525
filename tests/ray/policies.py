"""Policies with something inside that must not get out; named in the YAML of a test."""

import logging
import time

from serve_app.core.autoscaling import Decision
from serve_app.core.report import Load
from serve_app.serving.autoscaler import ScaleOnQueueDepth

AGE = "oldest report"
START = "a start"


class Raises(ScaleOnQueueDepth):
    def _decide(self, load: Load) -> Decision:
        raise RuntimeError("made to raise")


class Hangs(ScaleOnQueueDepth):
    """Spins, which is worse than a sleep: it never gives the interpreter back by itself."""

    def _decide(self, load: Load) -> Decision:
        while True:
            pass


class Watches(ScaleOnQueueDepth):
    """Decides as ever, and logs how old what it sees is, and how long replicas say they took."""

    def _decide(self, load: Load) -> Decision:
        logger = logging.getLogger("ray.serve")
        spoken = [replica for replica in load.replicas if replica.reported_at]
        if spoken:
            oldest = min(replica.reported_at for replica in spoken)
            logger.info("%s: %.3f s", AGE, time.time() - oldest)
            logger.info("%s: %.1f s", START, min(replica.load_s for replica in spoken))
        return super()._decide(load)
