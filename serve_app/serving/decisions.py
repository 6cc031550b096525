"""What a policy decides, for operators: a log line for each change, and two metrics.

They are where the metrics of Serve's controller are, on Ray's endpoint, under Ray's prefix:
`ray_serve_app_autoscaling_wanted` and `ray_serve_app_autoscaling_decisions_total`.
"""

import logging

from ray.serve.config import AutoscalingContext
from ray.util.metrics import Counter, Gauge

from serve_app.core.autoscaling import Decision
from serve_app.serving.decider import TROUBLES, UNDECIDED

logger = logging.getLogger("ray.serve")

LABELS = ("application", "deployment")


class Decisions:
    """Of one deployment."""

    def __init__(self) -> None:
        self._wanted = Gauge(
            "serve_app_autoscaling_wanted",
            "Replicas that the policy wants",
            LABELS,
        )
        self._count = Counter(
            "serve_app_autoscaling_decisions",
            "Decisions of the policy by their cause, ten a second",
            (*LABELS, "cause"),
        )
        self._said: tuple[object, ...] = ()
        self._trouble = ""

    def note(self, decision: Decision, context: AutoscalingContext) -> None:
        tags = {"application": context.app_name, "deployment": context.deployment_name}
        self._wanted.set(decision.replicas, tags)
        self._count.inc(1, {**tags, "cause": decision.cause})
        self._say(decision, context.target_num_replicas, context.app_name)

    def _say(self, decision: Decision, target: int, application: str) -> None:
        """Each change once, also where Serve takes its time with it; trouble when it begins and
        when it is over."""
        trouble = decision.cause if decision.cause in TROUBLES else ""
        if trouble != self._trouble and decision.cause != UNDECIDED:
            self._trouble = trouble
            text = decision.reason if trouble else "the policy answers again"
            logger.warning("autoscaling of %s: %s", application, text)
        change = (target, decision.replicas)
        if decision.replicas != target and change != self._said:
            logger.info("autoscaling of %s: %s", application, decision.reason)
        self._said = change
