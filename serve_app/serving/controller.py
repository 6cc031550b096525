"""What Serve's controller is asked."""

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError

CONTROLLER_TIMEOUT_S = 5.0

Details = Mapping[str, Any]


def controller() -> Any:
    """The actor; raises `ValueError` when there is none."""
    return ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")


def applications() -> Mapping[str, Details] | None:
    """What `serve status` would show and more, by application; None when Serve's controller
    does not answer. Blocks."""
    try:
        asked = controller().get_serve_instance_details.remote()
        return ray.get(asked, timeout=CONTROLLER_TIMEOUT_S)["applications"]
    except (RayError, ValueError):  # it is dead, silent, or gone
        return None


def since_order_s(application: str, replica: str) -> float:
    """How long ago a replica of `application` was ordered; 0 when the controller does not know.
    Waiting for a node, the process and its imports lie between. Blocks."""
    deployments = (applications() or {}).get(application, {}).get("deployments", {})
    for deployment in deployments.values():
        for known in deployment["replicas"]:
            if known["replica_id"] == replica:
                return max(0.0, time.time() - known["start_time_s"])
    return 0.0


def deployed(args: Mapping[str, Any]) -> Details:
    """The application with these args, as the controller was told to deploy it; empty without
    one."""
    configs = ray.get(controller().get_app_configs.remote(), timeout=CONTROLLER_TIMEOUT_S)
    for config in configs.values():
        if config.args == args:
            return config.model_dump(exclude_unset=True)
    return {}
