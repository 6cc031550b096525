"""The two kinds of application that this project has, by their import path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serve_app.checking.arguments import engine_problems, gateway_problems
from serve_app.checking.problem import Problems
from serve_app.config import EngineTunables, GatewayTunables, Knobs

POLICY = "serve_app.serving.autoscaler:ScaleOnQueueDepth"


@dataclass(frozen=True, slots=True)
class Kind:
    """What an application is made of: one deployment, its `args`, its `user_config`."""

    deployment: str
    args_problems: Callable[[dict[str, Any]], Problems]
    tunables: type[Knobs]


ENGINE = Kind("Engine", engine_problems, EngineTunables)
GATEWAY = Kind("Gateway", gateway_problems, GatewayTunables)

_KINDS = {"serve_app.serving.app:engine": ENGINE, "serve_app.serving.app:gateway": GATEWAY}


def kind_of(import_path: object) -> Kind | None:
    """The kind of an application, or None if it is not one of ours."""
    return _KINDS.get(with_colon(import_path))


def with_colon(import_path: object) -> str:
    """Serve reads `module.name` and `module:name` alike."""
    path = str(import_path)
    return path if ":" in path else ":".join(path.rsplit(".", maxsplit=1))
