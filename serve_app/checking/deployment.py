"""The one deployment of each of our applications."""

from math import inf
from typing import Any

from serve_app.checking.autoscaling import autoscaling_problems
from serve_app.checking.kind import ENGINE, GATEWAY, Kind
from serve_app.checking.knobs import knob_problems
from serve_app.checking.part import mapping, number
from serve_app.checking.placement import placement_problems
from serve_app.checking.problem import Problem, Problems, nearest
from serve_app.config import EngineTunables, GatewayTunables, Simulated


def deployment_problems(deployment: dict[str, Any], kind: Kind, args: dict[str, Any]) -> Problems:
    """What is wrong with an entry of `deployments`, in an application with these `args`."""
    name = deployment.get("name")
    if name != kind.deployment:
        message = f"{name!r}: the application has one deployment, {kind.deployment}"
        yield Problem(("name",), message + nearest(name, [kind.deployment]))
    for problem in knob_problems(kind.tunables, deployment.get("user_config") or {}):
        yield problem.under("user_config")
    yield from _room_problems(deployment, kind, args)
    yield from autoscaling_problems(deployment, kind)
    if kind is ENGINE:
        yield from _router_problems(deployment)
        yield from placement_problems(deployment, mapping(args.get("vllm")))


def _room_problems(deployment: dict[str, Any], kind: Kind, args: dict[str, Any]) -> Problems:
    """Serve must let in all that the gateway counts, or requests wait where nobody sees them."""
    room = deployment.get("max_ongoing_requests")
    needed, what = _needed(mapping(deployment.get("user_config")), kind, args)
    if room is None:
        message = f"is missing, and Serve's default is 5; must be above the {what}"
        yield Problem(("max_ongoing_requests",), message)
    elif number(room, inf) <= needed:
        message = f"{room}: must be above {needed:g}, the {what}"
        yield Problem(("max_ongoing_requests",), message)


def _needed(tunables: dict[str, Any], kind: Kind, args: dict[str, Any]) -> tuple[float, str]:
    if kind is GATEWAY:
        default = GatewayTunables().queue.max_requests
        waiting = number(mapping(tunables.get("queue")).get("max_requests"), default)
        return waiting, "requests that may wait (user_config.queue.max_requests)"
    is_simulated = args.get("kind") == "simulated"
    engine = mapping(args.get("simulated" if is_simulated else "vllm"))
    sequences = number(engine.get("max_num_seqs"), Simulated().max_num_seqs if is_simulated else 0)
    overcommit = number(tunables.get("overcommit"), EngineTunables().overcommit)
    ranks = number(engine.get("data_parallel_size"), 1)
    what = "max_num_seqs × overcommit" if ranks == 1 else "max_num_seqs × data ranks × overcommit"
    return int(sequences * ranks * overcommit), f"slots ({what})"


def _router_problems(deployment: dict[str, Any]) -> Problems:
    if "request_router_config" in deployment:
        message = "routes nothing: the gateway chooses the replica of every call; remove it"
        yield Problem(("request_router_config",), message)
