"""An answer for programs."""

import dataclasses
import json
from typing import Any

from serve_app.core.step import Step
from serve_app.planning.answer import Answer
from serve_app.planning.option import Option


def as_json(answer: Answer) -> str:
    """Everything, with units in the names; what is possible first, best first."""
    question, own = answer.question, answer.question.model.own
    record = {
        "model": question.model.name,
        "parameters": question.model.shape.parameters.without_mtp,
        "parameters_per_token": question.model.shape.used_per_token,
        "checkpoint": own.format.name,
        "checkpoint_bytes": own.weights.total,
        "checkpoint_bytes_are_estimated": own.is_estimated,
        "hardware": _hardware(answer),
        "context": question.context,
        "workload": dataclasses.asdict(question.workload),
        "objectives": dataclasses.asdict(question.objectives),
        "concurrency": question.concurrency,
        "best": _option(answer.best) if answer.best else None,
        "reasons": answer.reasons(),
        "changes": answer.changes(),
        "options": [_option(option) for option in (*answer.ranked, *answer.refused)],
    }
    return json.dumps(record, indent=1, ensure_ascii=False)


def _hardware(answer: Answer) -> dict[str, Any]:
    hardware = answer.question.hardware
    return {
        "gpu": dataclasses.asdict(hardware.gpu),
        "nodes": hardware.nodes,
        "gpus_per_node": hardware.gpus_per_node,
    }


def _option(option: Option) -> dict[str, Any]:
    memory, found = option.memory, option.speed
    return {
        "checkpoint": option.offer.checkpoint.format.name,
        "source": option.offer.source or None,
        "layout": dataclasses.asdict(option.candidate.layout),
        "settings": dataclasses.asdict(option.candidate.settings),
        "replicas": option.replicas,
        "obstacle": option.obstacle or None,
        "gpu_bytes": memory.parts | {"usable": memory.usable, "kv": memory.kv},
        "missing_bytes": memory.missing,
        "kv_bytes_per_token": memory.kv_bytes_per_token,
        "kv_tokens": memory.kv_tokens,
        "full_sequences": memory.full_sequences,
        "sequences": found.sequences,
        "ttft_s": found.ttft_s,
        "tpot_s": found.tpot_s,
        "output_tokens_per_s": option.output_tokens_per_s,
        "decode_bound_s": _step(found.decode),
        "prefill_bound_s": _step(found.prefill),
    }


def _step(step: Step) -> dict[str, Any]:
    """The bound without what engines miss of it."""
    return dataclasses.asdict(step) | {"total_s": step.seconds, "bound": step.bound}
