"""What Serve knows of a deployment → what a policy may look at."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from ray.serve.config import AutoscalingContext

from serve_app.core.autoscaling import Load, ReplicaLoad

KINDS = {name: kind for name, kind in get_type_hints(ReplicaLoad).items() if name != "reported_at"}
NEEDED = frozenset({"running", "slots", "depth"})


def load_of(context: AutoscalingContext) -> Load:
    """The newest report of each replica in service, however old it is."""
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
