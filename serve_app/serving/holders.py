"""Who holds the cluster's resources: placement groups and actors, from Ray's tables.

Ray's state API reads the same tables through the dashboard, which not every cluster has.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import ray
from ray._private.state import state
from ray.core.generated.gcs_pb2 import ActorTableData
from ray.serve._private.common import ReplicaID

from serve_app.core.placement import Resources, total
from serve_app.core.preflight.cluster import Holder
from serve_app.serving.controller import Details, applications

LEAVING = ("STOPPING", "DELETING")
UNPLACED = ("PENDING", "RESCHEDULING")


def holders(application: str) -> list[Holder]:
    """All of them. Replicas of `application` are leaving, since what is being built replaces
    them, and so are those that Serve is stopping."""
    known = applications() or {}
    found = [*_groups(), *_actors()]
    return [
        Holder(_words(kind, name, id_), on, is_leaving=_is_leaving(name, application, known))
        for kind, name, id_, on in found
    ]


def waiting(application: str) -> list[str]:
    """Placement groups that wait for room too, as words."""
    groups = ray.util.placement_group_table().items()
    return [
        f"{_words('placement group', group['name'], id_)} ({_sum(group['bundles'])})"
        for id_, group in groups
        if group["state"] in UNPLACED and _application(group["name"]) != application
    ]


Found = tuple[str, str, str, Mapping[str, Resources]]


def _groups() -> Iterator[Found]:
    for id_, group in ray.util.placement_group_table().items():
        if group["state"] != "CREATED":
            continue
        bundles: defaultdict[str, list[Resources]] = defaultdict(list)
        for index, node in group["bundles_to_node_id"].items():
            bundles[node].append(group["bundles"][index])
        on = {node: total(some) for node, some in bundles.items()}
        yield "placement group", group["name"], id_, on


def _actors() -> Iterator[Found]:
    """Those with resources of their own; an actor in a placement group has the group's."""
    for raw in state._connect_and_get_accessor().get_actor_table(None, "ALIVE"):  # noqa: SLF001
        actor = ActorTableData.FromString(raw)
        held = dict(actor.required_resources)
        if held and not actor.placement_group_id:
            name = actor.name or actor.class_name
            yield "actor", name, f"pid {actor.pid}", {actor.node_id.hex(): held}


def _words(kind: str, name: str, id_: str) -> str:
    """A replica by its application, which is what somebody would stop."""
    if ReplicaID.is_full_id_str(name):
        return f"application {_application(name)}"
    shown = id_ if id_.startswith("pid") else id_[:12]
    return f"{kind} {name} ({shown})" if name else f"{kind} {shown}"


def _application(name: str) -> str:
    if not ReplicaID.is_full_id_str(name):
        return ""
    return str(ReplicaID.from_full_id_str(name).deployment_id.app_name)


def _is_leaving(name: str, application: str, known: Mapping[str, Details]) -> bool:
    if not ReplicaID.is_full_id_str(name):
        return False
    replica = ReplicaID.from_full_id_str(name)
    details = known.get(replica.deployment_id.app_name)
    if details is None or replica.deployment_id.app_name == application:
        return True
    at = _state(details, replica)
    return str(details["status"]) in LEAVING or at in LEAVING


def _state(application: Details, replica: ReplicaID) -> str:
    deployment = application["deployments"].get(replica.deployment_id.name) or {}
    states = {one["replica_id"]: one["state"] for one in deployment.get("replicas", ())}
    return str(states.get(replica.unique_id, "STOPPING"))


def _sum(bundles: Mapping[Any, Resources]) -> str:
    summed = total(list(bundles.values()))
    return ", ".join(f"{amount:g} {name}" for name, amount in summed.items())
