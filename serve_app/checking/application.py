"""What the applications of a file say about each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray.serve.schema import HTTPOptionsSchema

from serve_app.checking.autoscaling import override_problems
from serve_app.checking.deployment import deployment_problems
from serve_app.checking.exposure import exposure_problems
from serve_app.checking.kind import ENGINE, GATEWAY, Kind, kind_of
from serve_app.checking.part import mapping, mappings
from serve_app.checking.problem import Problem, Problems, nearest

DEFAULT_HOST = HTTPOptionsSchema.model_fields["host"].default


@dataclass(frozen=True, slots=True)
class Application:
    """An entry of `applications`."""

    index: int
    value: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.value.get("name", "default"))

    @property
    def route(self) -> object:
        return self.value.get("route_prefix", "/")

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.value.get("import_path"))

    @property
    def args(self) -> dict[str, Any]:
        return mapping(self.value.get("args"))


def application_problems(document: object) -> Problems:
    """What is wrong with the applications, beyond what Serve's schema says."""
    found = [Application(*entry) for entry in mappings(mapping(document).get("applications"))]
    for application in found:
        before = found[: application.index]
        problems = [*_name_problems(application, before), *_route_problems(application, before)]
        if application.kind:
            problems += _own_problems(application, application.kind)
        if application.kind is GATEWAY:
            problems += _model_problems(application, found)
            problems += _exposure_problems(application, document)
        yield from (problem.under("applications", application.index) for problem in problems)


def _name_problems(application: Application, before: Sequence[Application]) -> Problems:
    if not application.name:
        yield Problem(("name",), "must not be empty")
    for other in before:
        if other.name == application.name:
            message = f"{other.name!r}: is also the name of applications[{other.index}]"
            yield Problem(("name",), message)


def _route_problems(application: Application, before: Sequence[Application]) -> Problems:
    route = application.route
    if application.kind is ENGINE and route is not None:
        message = f"{route!r}: an engine is reached through the gateway; set null"
        yield Problem(("route_prefix",), message)
    elif route is not None and not str(route).startswith("/"):
        yield Problem(("route_prefix",), f"{route!r}: must start with /")
    elif route is not None and route in [other.route for other in before]:
        yield Problem(("route_prefix",), f"{route!r}: another application has it")


def _own_problems(application: Application, kind: Kind) -> Problems:
    yield from (problem.under("args") for problem in kind.args_problems(application.args))
    yield from override_problems(application.value)
    deployments = list(mappings(application.value.get("deployments")))
    if len(deployments) != 1:
        message = f"has {len(deployments)} entries; needs one, {kind.deployment}"
        yield Problem(("deployments",), message)
    for index, deployment in deployments:
        for problem in deployment_problems(deployment, kind, application.args):
            yield problem.under("deployments", index)


def _model_problems(gateway: Application, applications: Sequence[Application]) -> Problems:
    engines = {engine.name: engine for engine in applications if engine.kind is ENGINE}
    for model, name in mapping(gateway.args.get("models")).items():
        path = ("args", "models", str(model))
        if name not in engines:
            message = f"{name!r}: no engine application of this file" + nearest(name, engines)
            yield Problem(path, message)
            continue
        names = engines[name].args.get("names")
        if names and isinstance(names, list) and model not in names:
            message = f"{name} has no such model; its names are {', '.join(map(str, names))}"
            yield Problem(path, message)


def _exposure_problems(gateway: Application, document: object) -> Problems:
    host = mapping(mapping(document).get("http_options")).get("host", DEFAULT_HOST)
    for index, deployment in mappings(gateway.value.get("deployments")):
        for problem in exposure_problems(deployment.get("user_config"), host):
            yield problem.under("deployments", index)
