"""Whether the cluster has room for an engine, asked before anything is loaded.

Serve would wait for ever for a placement group that no node can hold. With an autoscaler
that may be right, since nodes come when somebody waits; without one it is a hang.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from serve_app.core.placement import Resources, fits
from serve_app.core.preflight.cluster import Cluster, Demand, obstacle
from serve_app.errors import ClusterTooSmall
from serve_app.serving.cluster import cluster
from serve_app.serving.demand import demand

Application = Mapping[str, Any]

PATIENCE_S = 4.0  # what has just ended is still in Ray's books for a second or two
AGAIN_S = 0.5


def require_room(application: Application, *, file: Path | None) -> None:
    """Raise `ClusterTooSmall` when one replica of `application`, an entry of a Serve YAML, has no
    place; files beside `file` are searched for one that would run here. Blocks."""
    started = time.monotonic()
    for deployment in application.get("deployments") or []:
        wanted = Demand(*demand(deployment))
        while found := obstacle(wanted, seen := cluster(application["name"])):
            if _is_for_good(wanted, seen) or time.monotonic() - started > PATIENCE_S:
                advice = _advice(wanted, seen, file)
                raise ClusterTooSmall(f"{application['name']} {found}\n  {advice}")
            time.sleep(AGAIN_S)


def _is_for_good(wanted: Demand, seen: Cluster) -> bool:
    """Whether it would not fit if everybody went."""
    return not fits(wanted.bundles, wanted.strategy, seen.totals)


def _advice(wanted: Demand, seen: Cluster, file: Path | None) -> str:
    if not _is_for_good(wanted, seen):
        return "Stop what holds it, add nodes, or set args.wait_for_nodes: true to wait for it."
    return _other(file, seen.totals) if file is not None else "Add nodes."


def _other(file: Path, nodes: Sequence[Resources]) -> str:
    fitting = [sibling for sibling in sorted(file.parent.glob("*.yaml")) if _runs(sibling, nodes)]
    if not fitting:
        return f"nothing beside {file} runs here: add nodes"
    return f"runs here: serve run {fitting[0]}"


def _runs(file: Path, nodes: Sequence[Resources]) -> bool:
    applications = (yaml.safe_load(file.read_text()) or {}).get("applications") or []
    engines = [a for a in applications if (a.get("args") or {}).get("kind")]
    deployments = [d for engine in engines for d in engine.get("deployments") or []]
    return bool(engines) and all(fits(*demand(deployment), nodes) for deployment in deployments)
