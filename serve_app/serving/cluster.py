"""The cluster as Ray knows it now: nodes, who holds them, what an autoscaler may add and adds."""

from collections import Counter
from collections.abc import Iterator
from math import inf

import ray
from ray._private.state import state
from ray.autoscaler.v2.sdk import get_cluster_status

from serve_app.core.preflight.cluster import Cluster, Node, NodeType
from serve_app.serving.holders import holders, waiting

NODE_GROUP = "ray.io/node-group"  # label of what `ray up`, its autoscaler or KubeRay started


def cluster(application: str) -> Cluster:
    """As seen by a replica of `application` that is to come. Blocks."""
    free = state.available_resources_per_node()
    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes = [
        Node(
            node["NodeID"],
            node["NodeManagerAddress"],
            total=node["Resources"],
            free=free.get(node["NodeID"], {}),
        )
        for node in alive
    ]
    return Cluster(
        nodes,
        holders(application),
        types=list(_types()),
        may_grow=any(NODE_GROUP in node["Labels"] for node in alive),
        coming=list(_coming()),
        waiting=waiting(application),
    )


def _types() -> Iterator[NodeType]:
    """What an autoscaler has told the cluster about its kinds of nodes; Ray 2.60's own does not."""
    config = state.get_cluster_config()
    for group in config.node_group_configs if config is not None else ():
        resources = {k: inf if v < 0 else float(v) for k, v in group.resources.items()}
        if resources:
            yield NodeType(resources, int(group.max_count))


def _coming() -> Iterator[str]:
    """Nodes that the autoscaler has asked for or that are starting."""
    try:
        status = get_cluster_status(ray.get_runtime_context().gcs_address)
    except Exception as error:  # noqa: BLE001 - a refusal goes without it
        yield f"not known ({type(error).__name__})"
        return
    starting = Counter(node.ray_node_type_name for node in status.pending_nodes)
    yield from (f"{count} {name} starting" for name, count in starting.items())
    for launch in status.pending_launches:
        yield f"{launch.count} {launch.ray_node_type_name} asked for"
    for launch in status.failed_launches:
        yield f"{launch.count} {launch.ray_node_type_name} failed to start: {launch.details}"
