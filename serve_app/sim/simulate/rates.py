"""How fast a replica of a deployment is: said by it, measured, or planned."""

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from serve_app.checking.question import QuestionError
from serve_app.config import Simulated
from serve_app.engine.batch import CHUNK_TOKENS
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.simulate.calibrated import calibrated
from serve_app.sim.simulate.deployment import Deployment


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


def _simulated(block: Simulated) -> Rates:
    return Rates(
        prefill_tokens_per_s=block.prefill_tokens_per_s,
        decode_steps=block.decode_steps,
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
    return Rates(**asdict(planned))
