"""Serve's autoscaling hook: read its context, ask the core, answer.

It runs inside Serve's controller, ten times a second, for every application on the
cluster. So it never raises and never blocks; see `serving.decider`. While there is no replica
and somebody waits, Serve does not ask: it starts one.
"""

import logging
import time
from typing import Any

from ray.serve.config import AutoscalingContext

from serve_app.config import PolicyKnobs
from serve_app.core.autoscaling import Decision, QueueDepthPolicy
from serve_app.core.report import Load
from serve_app.serving.decider import Decider
from serve_app.serving.decisions import Decisions
from serve_app.serving.reports import load_of

logger = logging.getLogger("ray.serve")


class ScaleOnQueueDepth:
    """`policy_function` of the Engine deployment; `policy_kwargs` are `config.PolicyKnobs`."""

    def __init__(self, **policy_kwargs: Any) -> None:
        self.policy: QueueDepthPolicy | None = None
        self._kwargs = policy_kwargs
        self._decider = Decider(self._decide)
        self._decisions = Decisions()

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        try:
            decision = self._decider.ask(load_of(context))
            self._decisions.note(decision, context)
            return decision.replicas, {}
        except Exception:  # a policy that raises stops Serve's controller
            logger.exception("autoscaling holds")
            return context.target_num_replicas, {}

    def _decide(self, load: Load) -> Decision:
        if self.policy is None:  # in `__init__` a knob that is misspelt would raise outside
            knobs = PolicyKnobs.model_validate(self._kwargs)
            self.policy = QueueDepthPolicy(knobs.to_core())
        return self.policy.decide(load, now=time.time())
