"""A run as JSON: numbers in seconds, per round too, and every request's answer.

Gaps between tokens are there as percentiles only; all of them would be most of the file.
"""

import json
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from serve_app.bench.answer import Answer, Measurement
from serve_app.bench.doubts import warnings
from serve_app.bench.level import Level
from serve_app.bench.machine import machine, versions
from serve_app.bench.results import Results
from serve_app.bench.target import Target


def as_json(results: Results) -> str:
    """The whole run; no key is in it, since a target only knows its key's variable."""
    plan = results.plan
    whole = {
        "started_at": datetime.fromtimestamp(results.started_at, UTC).isoformat(),
        "command": shlex.join(sys.argv),
        "versions": versions(),
        "machine": machine(),
        "workload": str(plan.workload),
        "endpoint": plan.endpoint,
        "fields": plan.fields,
        "seed": plan.seed,
        "rounds": results.rounds,
        "slo": str(plan.slo),
        "warnings": warnings(results),
        "targets": [asdict(target) for target in plan.targets],
        "levels": [_level(results, level) for level in plan.levels],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _level(results: Results, level: Level) -> dict[str, Any]:
    found = {target.name: _target(results, target, level) for target in results.plan.targets}
    return {"kind": level.kind, "value": level.value, "targets": found}


def _target(results: Results, target: Target, level: Level) -> dict[str, Any]:
    ratios = results.ratios(target, level)
    rounds = zip(results.of(target, level), results.by_round(target, level), strict=True)
    return {
        "summary": results.summary(target, level),
        "ratio_to_first": {key: asdict(spread) for key, spread in ratios.items()},
        "rounds": [{**numbers, **_measured(measurement)} for measurement, numbers in rounds],
    }


def _measured(measurement: Measurement) -> dict[str, Any]:
    answers = [_answer(answer) for answer in measurement.answers]
    return {"duration_s": measurement.duration_s, "answers": answers}


def _answer(answer: Answer) -> dict[str, Any]:
    kept = asdict(answer)
    kept["chunks"] = len(kept.pop("itls_s")) + 1
    return kept
