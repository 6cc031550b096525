"""Where the bundles of this replica have come to lie, as Ray tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from serve_app.core.placement import Resources
from serve_app.core.preflight.spread import Spread


@dataclass(frozen=True, slots=True)
class Placed:
    """A replica without a placement group lies in one bundle on its own node. `addresses` and
    `resources` are of all live nodes, by id."""

    group: Any
    bundles: Sequence[Resources]
    strategy: str
    lies_on: Sequence[str]
    here: str
    addresses: Mapping[str, str]
    resources: Mapping[str, Resources]

    @property
    def spread(self) -> Spread:
        resource = "GPU" if any(bundle.get("GPU") for bundle in self.bundles) else "CPU"
        return Spread(
            self.bundles,
            self.strategy,
            self.lies_on,
            self.resources,
            self.here,
            rank_resource=resource,
        )

    @property
    def nodes(self) -> list[str]:
        """The nodes used, this one first."""
        return list(dict.fromkeys([self.here, *self.lies_on]))

    def indices(self, node: str) -> list[int]:
        """Of the bundles on a node that have a GPU."""
        at = enumerate(zip(self.bundles, self.lies_on, strict=True))
        return [index for index, (bundle, on) in at if on == node and bundle.get("GPU")]


def placed(group: Any) -> Placed:
    """Where `group` lies, the placement group of this replica or None."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    here = ray.get_runtime_context().get_node_id()
    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in nodes}
    resources = {node["NodeID"]: node["Resources"] for node in nodes}
    if group is None:
        own: Resources = ray.get_runtime_context().get_assigned_resources()
        return Placed(None, [own], "STRICT_PACK", [here], here, addresses, resources)
    table = ray.util.placement_group_table(group)
    indices = sorted(table["bundles"])
    return Placed(
        group,
        [table["bundles"][index] for index in indices],
        table["strategy"],
        [table["bundles_to_node_id"][index] for index in indices],
        here,
        addresses,
        resources,
    )
