"""`deployments/reference.yaml`: every knob of ours with its default, made from `serve_app/config`.

The skeleton is a Serve YAML of two applications, so that the result can be checked and run.
"""

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from serve_app.checking.annotation import block_in, members
from serve_app.checking.legal import described, legal
from serve_app.config import (
    EngineArgs,
    EngineTunables,
    GatewayArgs,
    GatewayTunables,
    Knobs,
    PolicyKnobs,
)

FILE = Path("deployments/reference.yaml")
WIDTH = 85  # of a comment, which is indented by up to 10

# What has no default must be something; this runs.
EXAMPLES: dict[str, Any] = {
    "kind": "simulated",
    "model": "simulated",
    "names": ["simulated"],
    "models": {"simulated": "simulated"},
}

SKELETON = """\
# Every knob of this project, with its default. Made by `serve-app reference` from
# serve_app/config: edit that, not this file. What is not listed here is Serve's own
# (ray.serve.schema) or, in `args.vllm`, vLLM's; `serve-app check` knows both.

http_options:
  host: 127.0.0.1  # on any other address the gateway wants keys, or `auth: none`

applications:

- name: simulated
  import_path: serve_app.serving.app:engine
  route_prefix: null
  args:
{engine_args}
  deployments:
  - name: Engine
    max_ongoing_requests: 100  # above max_num_seqs × overcommit
    autoscaling_config:
      min_replicas: 1
      max_replicas: 2
      metrics_interval_s: 0.5
      look_back_period_s: 2
      upscale_delay_s: 0  # the policy has windows of its own
      downscale_delay_s: 0
      policy:
        policy_function: serve_app.serving.autoscaler:ScaleOnQueueDepth
        policy_kwargs:
{policy_kwargs}
    user_config:
{engine_tunables}

- name: gateway
  import_path: serve_app.serving.app:gateway
  route_prefix: /
  args:
{gateway_args}
  deployments:
  - name: Gateway
    max_ongoing_requests: 2000  # above queue.max_requests and what runs
    user_config:
{gateway_tunables}
"""


def reference() -> str:
    """The text of the file."""
    return SKELETON.format(
        engine_args=_block(EngineArgs, 4),
        policy_kwargs=_block(PolicyKnobs, 10),
        engine_tunables=_block(EngineTunables, 6),
        gateway_args=_block(GatewayArgs, 4),
        gateway_tunables=_block(GatewayTunables, 6),
    )


def write(file: Path = FILE) -> int:
    """Make the file anew; returns the exit status."""
    file.write_text(reference(), encoding="utf-8")
    return 0


def check(file: Path = FILE) -> int:
    """Exit status 1 if the file is not what `write` would make it."""
    if file.exists() and file.read_text(encoding="utf-8") == reference():
        return 0
    print(f"{file}: not what serve_app/config says; run serve-app reference", file=sys.stderr)
    return 1


def _block(model: type[Knobs], indent: int) -> str:
    """The knobs of a model, one after the other, each under its documentation."""
    lines = [line for name, field in model.model_fields.items() for line in _knob(name, field)]
    return textwrap.indent("\n".join(lines), " " * indent)


def _knob(name: str, field: FieldInfo) -> list[str]:
    about = [f"# {line}" for line in textwrap.wrap(field.description or "", WIDTH)]
    if isinstance(field.default, Knobs):
        kind = type(field.default)
        others = [other for other in members(field.annotation) if other is not kind]
        also = f"  # or {described(others[0])}" if others else ""
        return [*about, f"{name}:{also}", *_block(kind, 2).splitlines()]
    default = field.get_default(call_default_factory=True)
    value = json.dumps(EXAMPLES[name] if field.is_required() else default)
    return [*about, f"{name}: {value}  # {legal(field)}", *_example(field)]


def _example(field: FieldInfo) -> list[str]:
    """The knobs of a block of which there may be many, each under a name."""
    block = block_in(field.annotation)
    lines = ["NAME:", *_block(block, 2).splitlines()] if block else []
    return [f"#   {line}" for line in lines]
