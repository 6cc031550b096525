"""Whether the cluster can hold an engine, asked before anything is loaded.

Serve would wait for ever for a placement group that no node can hold. With an autoscaler
that may be right, since nodes come when somebody waits; without one it is a hang.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
import yaml
from ray._private.state import state

from serve_app.core.placement import Resources, fits, total
from serve_app.errors import ClusterTooSmall

Application = Mapping[str, Any]
Nodes = Sequence[Resources]

CONTROLLER_TIMEOUT_S = 5.0


def require_room(application: Application, *, file: Path | None) -> None:
    """Raise `ClusterTooSmall` when no set of nodes could hold one replica of `application`,
    an entry of a Serve YAML; files beside `file` are searched for one that would run here."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if _has_room(application, nodes) or _grows():
        return
    bundles, strategy = demand(application["deployments"][0])
    advice = _advice(file, nodes) if file is not None else "Add nodes."
    raise ClusterTooSmall(
        f"{application['name']} does not fit this cluster, and no autoscaler makes it grow.\n"
        f"  needs: {_words(total(bundles))} per replica, as {len(bundles)} bundles, {strategy}\n"
        f"  ray status has: {_words(total(nodes))} on {len(nodes)} node(s)\n"
        f"  {advice}"
    )


def deployed(args: Mapping[str, Any]) -> Application:
    """The application with these args, as Serve's controller was told to deploy it."""
    controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
    configs = ray.get(controller.get_app_configs.remote(), timeout=CONTROLLER_TIMEOUT_S)
    for config in configs.values():
        if config.args == args:
            return config.model_dump(exclude_unset=True)
    return {}


def _has_room(application: Application, nodes: Nodes) -> bool:
    deployments = application.get("deployments") or []
    return all(fits(*demand(deployment), nodes) for deployment in deployments)


def demand(deployment: Mapping[str, Any]) -> tuple[Sequence[Resources], str]:
    """The bundles of one replica, and how they want to lie."""
    options = deployment.get("ray_actor_options") or {}
    own = {"CPU": options.get("num_cpus", 1), "GPU": options.get("num_gpus", 0)}
    alone = [{name: amount for name, amount in own.items() if amount}]
    bundles = deployment.get("placement_group_bundles") or alone
    return bundles, deployment.get("placement_group_strategy", "PACK")


def _grows() -> bool:
    """Whether an autoscaler has told the cluster how large it may become."""
    return bool(state.get_max_resources_from_cluster_config())


def _advice(file: Path, nodes: Nodes) -> str:
    fitting = [sibling for sibling in sorted(file.parent.glob("*.yaml")) if _runs(sibling, nodes)]
    if not fitting:
        return f"nothing beside {file} runs here: add nodes"
    return f"runs here: serve run {fitting[0]}"


def _runs(file: Path, nodes: Nodes) -> bool:
    applications = (yaml.safe_load(file.read_text()) or {}).get("applications") or []
    engines = [a for a in applications if (a.get("args") or {}).get("kind")]
    return bool(engines) and all(_has_room(engine, nodes) for engine in engines)


def _words(resources: Resources) -> str:
    named = {name: resources.get(name, 0) for name in ("GPU", "CPU")}
    return ", ".join(f"{amount:g} {name}" for name, amount in named.items())
