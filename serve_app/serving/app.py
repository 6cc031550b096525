"""The two applications: what `import_path` in a YAML names.

    applications:
    - import_path: serve_app.serving.app:engine     one per model
    - import_path: serve_app.serving.app:gateway

Both builders refuse what `serve-app check` refuses. They run in a task on the cluster, so
they also see what it has: an engine that cannot be placed is refused here, in seconds,
and the `serve run` that asked for it ends.
"""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from ray import serve
from ray.serve import Application

from serve_app.checking.arguments import check_engine_args, check_gateway_args
from serve_app.checking.autoscaling import autoscaling_problems
from serve_app.checking.exposure import Exposed, exposure_problems
from serve_app.checking.file import check_file
from serve_app.checking.kind import ENGINE
from serve_app.checking.problem import ConfigError, Problem
from serve_app.errors import ClusterTooSmall
from serve_app.serving.address import listening_host
from serve_app.serving.controller import deployed
from serve_app.serving.gateway import Gateway
from serve_app.serving.launcher import Launch, find
from serve_app.serving.ledger import ledger
from serve_app.serving.preflight import require_room
from serve_app.serving.replica import EngineReplica


def engine(args: dict[str, Any]) -> Application:
    """One model; `args` is `config.EngineArgs`."""
    launch = find(args)
    with _refusal_ends(launch):
        checked = check_engine_args(args)
        if launch is not None:
            _require_sound_file(launch)
        application = launch.application(args) if launch else deployed(args)
        _require_sound_scaling(application)
        if not checked.wait_for_nodes:
            require_room(application, file=launch.path if launch else None)
    built = serve.deployment(
        EngineReplica, name="Engine", max_constructor_retry_count=checked.start_attempts
    )
    return built.bind(checked.model_dump())


def gateway(args: dict[str, Any]) -> Application:
    """The ingress router; `args` is `config.GatewayArgs`."""
    launch = find(args)
    with _refusal_ends(launch):
        checked = check_gateway_args(args)
        _require_keys(launch.application(args) if launch else deployed(args))
    return serve.deployment(Gateway, name="Gateway").bind(checked.model_dump(), ledger())


def _require_sound_file(launch: Launch) -> None:
    """Serve drops keys that it does not know before any builder sees them; the file has them."""
    problems = [p for p in check_file(launch.path) if not isinstance(p, Exposed)]
    if problems:
        raise ConfigError(*problems)


def _require_sound_scaling(engine: Mapping[str, Any]) -> None:
    """What came by `serve deploy` was in no file that could be read here; a policy that is
    mistaken would be found out by Serve's controller, which would stop at it."""
    problems: list[Problem] = []
    for deployment in engine.get("deployments") or []:
        problems += autoscaling_problems(deployment, ENGINE)
    if problems:
        raise ConfigError(*problems)


def _require_keys(gateway: Mapping[str, Any]) -> None:
    """A file says where Serve would listen; this asks where it does. The gateway asks again
    when it starts, on its own node, where its keys are."""
    problems: list[Problem] = []
    for deployment in gateway.get("deployments") or []:
        problems += exposure_problems(deployment.get("user_config"), listening_host())
    if problems:
        raise ConfigError(*problems)


@contextmanager
def _refusal_ends(launch: Launch | None) -> Generator[None]:
    """Print a refusal for whoever reads the terminal, and end the command that waits there."""
    try:
        yield
    except (ConfigError, ClusterTooSmall) as refusal:
        print(f"\nREFUSED: {refusal}\n", file=sys.stderr, flush=True)
        if launch is not None:
            launch.end()
        raise
