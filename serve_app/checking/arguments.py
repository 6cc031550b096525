"""`args` of both applications: what the builders refuse, so that `serve run` does too."""

from collections.abc import Mapping
from typing import Any

from serve_app.checking.knobs import knob_problems
from serve_app.checking.problem import ConfigError, Problem, Problems
from serve_app.checking.vllm_block import vllm_problems
from serve_app.config import EngineArgs, GatewayArgs

OTHER_KIND = {"vllm": "simulated", "simulated": "vllm"}


def check_engine_args(args: Mapping[str, Any]) -> EngineArgs:
    """The `args` of an engine, typed; raises `ConfigError` with every problem."""
    _refuse(engine_problems(args))
    return EngineArgs.model_validate(args)


def check_gateway_args(args: Mapping[str, Any]) -> GatewayArgs:
    """The `args` of the gateway, typed; raises `ConfigError` with every problem."""
    _refuse(gateway_problems(args))
    return GatewayArgs.model_validate(args)


def engine_problems(args: Mapping[str, Any]) -> Problems:
    """What is wrong with the `args` of an engine."""
    yield from knob_problems(EngineArgs, args)
    kind = args.get("kind")
    other = OTHER_KIND.get(str(kind), "")
    if args.get(other):
        yield Problem((other,), f"would not be read: kind is {kind}")
    block = args.get("vllm")
    if isinstance(block, Mapping):
        yield from (problem.under("vllm") for problem in vllm_problems(block))


def gateway_problems(args: Mapping[str, Any]) -> Problems:
    """What is wrong with the `args` of the gateway."""
    return knob_problems(GatewayArgs, args)


def _refuse(problems: Problems) -> None:
    found = [problem.under("args") for problem in problems]
    if found:
        raise ConfigError(*found)
