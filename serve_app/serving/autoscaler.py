"""Serve's autoscaling hook: read its context, ask the core, answer.

It runs inside Serve's controller, ten times a second, for every application on the
cluster. So it never raises and never blocks; see `serving.decider`. While there is no replica
and somebody waits, Serve does not ask: it starts one.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, get_type_hints

from ray.serve.config import AutoscalingContext

from serve_app.config import PolicyKnobs
from serve_app.core.autoscaling import Load, QueueDepthPolicy, ReplicaLoad, Targets
from serve_app.serving.decider import Decider
from serve_app.serving.decisions import Decisions

logger = logging.getLogger("ray.serve")

KINDS = {name: kind for name, kind in get_type_hints(ReplicaLoad).items() if name != "reported_at"}
NEEDED = frozenset({"running", "slots", "depth"})


class ScaleOnQueueDepth:
    """`policy_function` of the Engine deployment; `policy_kwargs` are `config.PolicyKnobs`."""

    def __init__(self, **policy_kwargs: Any) -> None:
        knobs = PolicyKnobs.model_validate(policy_kwargs)
        self.policy = QueueDepthPolicy(Targets(knobs.target_usage, knobs.max_age_s))
        self._decider = Decider(lambda load: self.policy.decide(load, now=time.time()))
        self._decisions = Decisions()

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        try:
            decision = self._decider.ask(_load(context))
            self._decisions.note(decision, context)
            return decision.replicas, {}
        except Exception:  # a policy that raises stops Serve's controller
            logger.exception("autoscaling holds")
            return context.target_num_replicas, {}


def _load(context: AutoscalingContext) -> Load:
    raw = context.raw_metrics or {}
    replicas = [_newest(raw, replica) for replica in context.running_replicas]
    bounds = (context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas)
    return Load(replicas, context.target_num_replicas, *bounds)


def _newest(raw: Mapping[str, Mapping[Any, Any]], replica: Any) -> ReplicaLoad:
    samples = {name: raw[name][replica][-1] for name in KINDS if raw.get(name, {}).get(replica)}
    if not samples.keys() >= NEEDED:
        return ReplicaLoad(0, 1, reported_at=0.0)  # it is silent, or hears no gateway
    values: dict[str, Any] = {name: KINDS[name](sample.value) for name, sample in samples.items()}
    return ReplicaLoad(reported_at=min(s.timestamp for s in samples.values()), **values)
