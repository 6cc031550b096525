"""How engine applications stand, as Serve's controller tells it: why one has no replica in
service, and why it has fewer than its policy wants.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ray._private.state import state
from ray.exceptions import RayError
from ray.serve.schema import ApplicationStatus

from serve_app.core.shortfall import Ordered, shortfall
from serve_app.serving.controller import Details, applications
from serve_app.serving.demand import demand
from serve_app.serving.engines import ENGINE
from serve_app.serving.starting import Starting, starting

LONGEST_DETAIL = 500
STARTING = ("STARTING", "UPDATING", "RECOVERING")
NOBODY_COMES = (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.DELETING)


@dataclass(frozen=True, slots=True)
class Absence:
    """Why no replica answers: `waits_for` is for clients, `detail` for operators (`/ready`).
    Requests are held while a replica may be coming."""

    waits_for: str
    detail: str = ""
    is_coming: bool = True
    starting: tuple[Starting, ...] = ()


def absence(application: str) -> Absence:
    """Why `application` has no replica in service. Blocks."""
    known = applications()
    if known is None:
        return unknown(application)
    details = known.get(application)
    if details is None:
        waits_for = f"application {application!r}, which is not deployed"
        return Absence(waits_for, is_coming=False)
    status = ApplicationStatus(details["status"])
    said = [details["message"], *(d["message"] for d in details["deployments"].values())]
    detail = [_last_line(message) for message in said if message.strip()]
    detail += [missing] if (missing := _missing(details)) else []
    waits_for = f"application {application!r}, which is {status.value}"
    return Absence(
        waits_for,
        "; ".join(detail),
        is_coming=status not in NOBODY_COMES,
        starting=starting(_starting(details)),
    )


def unknown(application: str) -> Absence:
    return Absence(f"application {application!r}; Serve's controller does not answer")


def shortfalls(names: Iterable[str]) -> Mapping[str, str]:
    """Why applications have fewer replicas than their policies want; those that have them, or
    of which nothing is known, are left out. Blocks."""
    known = applications() or {}
    missing = {name: _missing(known[name]) for name in names if name in known}
    return {name: said for name, said in missing.items() if said}


def ordered(engine: Details) -> Ordered:
    """The replicas of a deployment, from what the controller says of it."""
    replicas = [(replica["state"], replica.get("node_id")) for replica in engine["replicas"]]
    bundles, strategy = demand(engine["deployment_config"])
    return Ordered(
        engine["target_num_replicas"],
        serving=sum(at == "RUNNING" for at, _ in replicas),
        loading=sum(at in STARTING and node_id is not None for at, node_id in replicas),
        bundles=bundles,
        strategy=strategy,
    )


def _missing(application: Details) -> str:
    engine = application["deployments"].get(ENGINE)
    try:
        free = list(state.available_resources_per_node().values())
    except RayError:  # no GCS, no answer
        return ""
    return shortfall(ordered(engine), free) if engine is not None else ""


def _starting(application: Details) -> list[str]:
    """Replicas of its engine that are not in service yet."""
    replicas = application["deployments"].get(ENGINE, {}).get("replicas", ())
    return [replica["replica_id"] for replica in replicas if replica["state"] in STARTING]


def _last_line(message: str) -> str:
    """What went wrong, without the stack that led there."""
    return message.strip().splitlines()[-1][:LONGEST_DETAIL]
