"""What an entry of `deployments` in a Serve YAML asks of the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

from serve_app.core.placement import Resources


def demand(deployment: Mapping[str, Any]) -> tuple[Sequence[Resources], str]:
    """The bundles of one replica, and how they want to lie."""
    options = deployment.get("ray_actor_options") or {}
    own = {"CPU": options.get("num_cpus", 1), "GPU": options.get("num_gpus", 0)}
    alone = [{name: amount for name, amount in own.items() if amount}]
    bundles = deployment.get("placement_group_bundles") or alone
    return bundles, deployment.get("placement_group_strategy", "PACK")
