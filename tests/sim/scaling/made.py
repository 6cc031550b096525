"""What scalers see, made by hand."""

from serve_app.core.report import Load, ReplicaLoad
from serve_app.sim.scaling.fleet import Seen


def seen(
    ready: int = 4,
    *,
    ordered: int | None = None,
    running: int = 0,
    waiting: int = 0,
    slots: int = 10,
    ttft: float = 0.0,
    tpot: float = 0.0,
    least: int = 1,
    most: int = 100,
) -> Seen:
    """`running` is of all replicas together."""
    ordered = ready if ordered is None else ordered
    loads = [ReplicaLoad(running // ready, slots, 0.0, waiting) for _ in range(ready)]
    return Seen(
        Load(loads, ordered, least, most),
        ready=ready,
        ordered=ordered,
        running=running,
        waiting=waiting,
        kv_usage=0.0,
        ttft_p90=ttft,
        tpot_p90=tpot,
    )
