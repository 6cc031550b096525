"""The plan that the words of a command line ask for; what makes no sense is a `BenchError`."""

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from serve_app.bench.errors import BenchError
from serve_app.bench.level import Level
from serve_app.bench.plan import Endpoint, Plan
from serve_app.bench.price import Price
from serve_app.bench.slo import Slo
from serve_app.bench.target import Target
from serve_app.bench.trace import Trace, read
from serve_app.bench.words import Words, words_of
from serve_app.bench.workload import Chat, Random, SharedPrefix, Workload
from serve_app.checking.problem import nearest

_MADE_UP = {"random": Random, "shared-prefix": SharedPrefix, "chat": Chat}
_TRACE = "trace:"
_LENGTHS = ("input_tokens", "output_tokens", "prefix_tokens")
_AT_LEAST = {"rounds": 1, "requests": 1, "warm_up": 0, "timeout_s": 1, **dict.fromkeys(_LENGTHS, 1)}


def plan_of(chosen: argparse.Namespace) -> Plan:
    """The plan for options as `options.add_to` defines them."""
    for name, least in _AT_LEAST.items():
        _check_at_least(name, getattr(chosen, name), least)
    workload = _workload(chosen)
    return Plan(
        targets=_targets(chosen),
        workload=workload,
        levels=_levels(chosen, workload),
        rounds=chosen.rounds,
        requests=chosen.requests,
        warm_up=chosen.warm_up,
        endpoint=_endpoint(chosen),
        model=chosen.model,
        slo=Slo.parse(chosen.slo),
        extra_body=_extra_body(chosen),
        seed=chosen.seed,
        timeout_s=chosen.timeout_s,
    )


def _check_at_least(name: str, value: float | None, least: int) -> None:
    if value is not None and value < least:
        raise BenchError(f"{_option(name)} is {value:g}; it must be at least {least}")


def _targets(chosen: argparse.Namespace) -> tuple[Target, ...]:
    """Targets without a price of their own have the one of --price."""
    targets = [Target.parse(text) for text in chosen.target]
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise BenchError(f"two targets are called {name}; give each a name of its own")
    price = Price.parse(chosen.price) if chosen.price else None
    return tuple(replace(target, price=target.price or price) for target in targets)


def _workload(chosen: argparse.Namespace) -> Workload:
    words = words_of(chosen.tokenizer) if chosen.tokenizer else Words()
    lengths = {name: getattr(chosen, name) for name in _LENGTHS}
    given = {name: tokens for name, tokens in lengths.items() if tokens is not None}
    if chosen.workload.startswith(_TRACE):
        _refuse(given, (), "a trace")
        return read(Path(chosen.workload.removeprefix(_TRACE)).expanduser(), words)
    kind = _MADE_UP.get(chosen.workload)
    if kind is None:
        near = nearest(chosen.workload, [*_MADE_UP, _TRACE])
        raise BenchError(
            f"there is no workload {chosen.workload}{near} (has: {', '.join(_MADE_UP)}, trace:FILE)"
        )
    _refuse(given, [field.name for field in fields(kind)], chosen.workload)
    made: Workload = kind(words, **given)
    return made


def _refuse(given: dict[str, int], known: Any, workload: str) -> None:
    for name in given:
        if name not in known:
            raise BenchError(f"{_option(name)} means nothing for {workload}; leave it out")


def _levels(chosen: argparse.Namespace, workload: Workload) -> tuple[Level, ...]:
    is_trace = isinstance(workload, Trace)
    if chosen.speed_up and not is_trace:
        raise BenchError("--speed-up is of a trace's arrivals; add --workload trace:FILE")
    if chosen.rate:
        return Level.parse("rate", chosen.rate)
    if chosen.concurrency or not is_trace:
        return Level.parse("concurrency", chosen.concurrency or "1,8,32")
    return Level.parse("speed-up", chosen.speed_up or "1")


def _endpoint(chosen: argparse.Namespace) -> Endpoint:
    default: Endpoint = "chat" if chosen.workload == "chat" else "completions"
    return chosen.endpoint or default


def _extra_body(chosen: argparse.Namespace) -> dict[str, Any]:
    try:
        extra = json.loads(chosen.extra_body)
    except ValueError as error:
        raise BenchError(f"--extra-body is no JSON: {error}") from error
    if not isinstance(extra, dict):
        raise BenchError("--extra-body must be an object, such as '{\"top_k\": 1}'")
    return {**extra, **({"ignore_eos": None} if chosen.no_ignore_eos else {})}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
