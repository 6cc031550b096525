"""What a Serve YAML says about one engine and its scaling."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_app.checking.document import read
from serve_app.checking.exposure import Exposed
from serve_app.checking.file import check_file
from serve_app.checking.kind import ENGINE, GATEWAY, POLICY, Kind, kind_of, with_colon
from serve_app.checking.part import mapping, mappings, number
from serve_app.checking.problem import nearest
from serve_app.checking.question import QuestionError
from serve_app.config import EngineArgs, EngineTunables, GatewayTunables, PolicyKnobs
from serve_app.sim.scaling.delay import Delays


@dataclass(frozen=True)
class Deployment:
    """One model's engine, the gateway before it, and the bounds of its fleet."""

    name: str
    args: EngineArgs
    engine: EngineTunables
    gateway: GatewayTunables
    policy: PolicyKnobs
    least: int
    most: int
    delays: Delays

    @property
    def max_model_len(self) -> int | None:
        """The longest prompt with its answer, where the file says."""
        if self.args.kind == "simulated":
            return self.args.simulated.max_model_len
        length = self.args.vllm.get("max_model_len")
        return length if isinstance(length, int) else None


def deployment(file: Path, name: str | None = None) -> Deployment:
    """The engine application `name` of `file`; raises `QuestionError`."""
    problems = [problem for problem in check_file(file) if not isinstance(problem, Exposed)]
    if problems:
        more = f" (and {len(problems) - 1} more: serve-app check {file})" if problems[1:] else ""
        raise QuestionError(f"{problems[0]}{more}")
    document = mapping(read(file).value)
    application = _engine(document, file, name)
    [(_, engine)] = mappings(application["deployments"])
    if "autoscaling_config" not in engine:
        raise QuestionError(f"{file}: {application['name']} has no autoscaling_config to replay")
    scaling = mapping(engine["autoscaling_config"])
    return Deployment(
        name=application["name"],
        args=EngineArgs.model_validate(application["args"]),
        engine=EngineTunables.model_validate(engine.get("user_config") or {}),
        gateway=_gateway(document, application["name"]),
        policy=_knobs(mapping(scaling.get("policy"))),
        least=int(number(scaling.get("min_replicas"), 1)),
        most=int(number(scaling.get("max_replicas"), 1)),
        delays=_delays(scaling),
    )


def _delays(scaling: dict[str, Any]) -> Delays:
    serves = Delays()
    down_s = number(scaling.get("downscale_delay_s"), serves.down_s)
    return Delays(
        up_s=number(scaling.get("upscale_delay_s"), serves.up_s),
        down_s=down_s,
        to_zero_s=number(scaling.get("downscale_to_zero_delay_s"), down_s),
    )


def _engine(document: dict[str, Any], file: Path, name: str | None) -> dict[str, Any]:
    found = {application["name"]: application for application in _of(document, ENGINE)}
    if name is not None and name not in found:
        has = ", ".join(found)
        raise QuestionError(f"{file} has no engine {name}{nearest(name, found)} (has: {has})")
    if name is None and len(found) != 1:
        has = ", ".join(found) or "none"
        raise QuestionError(f"{file} has not one engine ({has}): name one with --model")
    return found[name or next(iter(found))]


def _gateway(document: dict[str, Any], engine: str) -> GatewayTunables:
    for application in _of(document, GATEWAY):
        if engine in mapping(application["args"]).get("models", {}).values():
            [(_, gateway)] = mappings(application["deployments"])
            return GatewayTunables.model_validate(gateway.get("user_config") or {})
    return GatewayTunables()


def _of(document: dict[str, Any], kind: Kind) -> Iterator[dict[str, Any]]:
    for _, application in mappings(document.get("applications")):
        if kind_of(application.get("import_path")) is kind:
            yield application


def _knobs(policy: dict[str, Any]) -> PolicyKnobs:
    is_ours = with_colon(policy.get("policy_function")) == POLICY
    return PolicyKnobs.model_validate(mapping(policy.get("policy_kwargs")) if is_ours else {})
