"""How fast a replica of a deployment is: said by it, measured, or planned."""

import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

from serve_app.checking.question import QuestionError
from serve_app.config import Simulated
from serve_app.engine.batch import CHUNK_TOKENS
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.simulate.deployment import Deployment

_SPEEDS = ("prefill_tokens_per_s", "decode_step_s", "decode_step_per_seq_s")
_SIZES = ("kv_tokens", "max_num_seqs", "chunk_tokens")


def rates_of(found: Deployment, *, calibration: Path | None, hardware: str | None) -> Rates:
    """Of a calibration if there is one, else of the `simulated` block or the plan."""
    if calibration is not None:
        return calibrated(calibration)
    if found.args.kind == "simulated":
        return _simulated(found.args.simulated)
    if hardware is None:
        raise QuestionError(
            f"{found.name} runs vLLM, whose rates are not in the file: --calibration FILE with "
            "what you have measured, or --on HARDWARE for those of a plan"
        )
    return _planned(found, hardware)


def calibrated(file: Path) -> Rates:
    """Rates by name, at the top of a JSON object or under `rates`."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        found = found.get("rates", found)
        prefill, step, per_seq = (float(found[name]) for name in _SPEEDS)
        return _checked(Rates(prefill, step, per_seq, *(int(found[name]) for name in _SIZES)))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        names = ", ".join((*_SPEEDS, *_SIZES))
        raise QuestionError(f"--calibration {file}: no rates ({what}); it has {names}") from error


def _checked(rates: Rates) -> Rates:
    for name in (*_SPEEDS, *_SIZES):
        number = getattr(rates, name)
        if not 0 <= number < math.inf or (number == 0 and name != "decode_step_per_seq_s"):
            raise ValueError(f"{name} is {number}")
    return rates


def _simulated(block: Simulated) -> Rates:
    return Rates(
        prefill_tokens_per_s=block.prefill_tokens_per_s,
        decode_step_s=block.decode_step_s,
        decode_step_per_seq_s=block.decode_step_per_seq_s,
        kv_tokens=block.kv_tokens,
        max_num_seqs=block.max_num_seqs,
        chunk_tokens=CHUNK_TOKENS,
    )


def _planned(found: Deployment, hardware: str) -> Rates:
    # By name, because a plan can ask a cluster, and so reaches what imports Ray.
    plan: Any = import_module("serve_app.planning.rates")
    errors: Any = import_module("serve_app.planning.errors")
    try:
        planned = plan.rates_of(found.args.model_dump(), hardware)
    except errors.PlanError as error:
        raise QuestionError(f"--on {hardware}: {error}") from error
    return Rates(**{name: getattr(planned, name) for name in (*_SPEEDS, *_SIZES)})
