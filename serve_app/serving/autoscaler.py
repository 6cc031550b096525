"""Serve's autoscaling hook: read its context, ask the core, answer.

It runs inside Serve's controller, ten times a second, for every application on the
cluster. So it never raises and never blocks: what goes wrong here holds the replicas that
there are, and is logged once.
"""

import logging
import time
from typing import Any

from ray.serve.config import AutoscalingContext

from serve_app.config import PolicyKnobs
from serve_app.core.autoscaling import Load, QueueDepthPolicy, ReplicaLoad, Targets

logger = logging.getLogger("ray.serve")

METRICS = ("running", "slots", "depth")


class ScaleOnQueueDepth:
    """`policy_function` of the Engine deployment; `policy_kwargs` are `config.PolicyKnobs`."""

    def __init__(self, **policy_kwargs: Any) -> None:
        knobs = PolicyKnobs.model_validate(policy_kwargs)
        self._policy = QueueDepthPolicy(Targets(knobs.target_usage, knobs.max_age_s))
        self._said = ""

    def __call__(self, context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
        try:
            decision = self._policy.decide(_load(context), now=time.time())
            self._say(decision.reason, changes=decision.replicas != context.target_num_replicas)
        except Exception as error:  # noqa: BLE001 - a policy that raises stops Serve's controller
            self._say(f"hold: the policy failed with {error!r}", changes=True)
            return context.target_num_replicas, {}
        return decision.replicas, {}

    def _say(self, reason: str, *, changes: bool) -> None:
        if changes and reason != self._said:
            logger.info("autoscaling: %s", reason)
            self._said = reason


def _load(context: AutoscalingContext) -> Load:
    """The newest sample of each replica; a replica without one reported at the epoch."""
    raw = context.raw_metrics or {}
    newest = {
        name: {replica: samples[-1] for replica, samples in raw.get(name, {}).items() if samples}
        for name in METRICS
    }
    replicas = []
    for replica in context.running_replicas:
        samples = [newest[name][replica] for name in METRICS if replica in newest[name]]
        if len(samples) < len(METRICS):
            replicas.append(ReplicaLoad(0, 1, reported_at=0.0))
            continue
        running, slots, depth = (int(sample.value) for sample in samples)
        reported_at = min(sample.timestamp for sample in samples)
        replicas.append(ReplicaLoad(running, max(1, slots), reported_at, depth))
    return Load(replicas, context.target_num_replicas)
