"""A question and its runs as JSON, for programs; what never came is null."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from serve_app.sim.simulate.frontier import better
from serve_app.sim.simulate.played import Played
from serve_app.sim.simulate.policies import ORACLE, target_of
from serve_app.sim.simulate.question import Question


def document(question: Question, runs: Sequence[Played]) -> str:
    """Two keys: `question` and `runs`."""
    best = {r.load_s: r.measures.replica_hours for r in runs if r.policy.name == ORACLE}
    found = {
        "question": _question(question),
        "runs": [
            {
                **_run(done, best.get(done.load_s)),
                "target": target_of(done.policy, question.deployment.policy),
                "dominated_by": _name(better(done, runs)),
            }
            for done in runs
        ],
    }
    return json.dumps(_finite(found), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _question(question: Question) -> dict[str, Any]:
    return {
        "deployment": question.deployment.name,
        "trace": question.traffic.part.name,
        "seconds": question.traffic.seconds,
        "total": asdict(question.survey.total),
        "clipped": question.clipped,
        "rates": asdict(question.rates),
        "slowdown": question.slowdown,
        "slo": asdict(question.slo),
        **asdict(question.bounds),
        "peak": question.peak,
        "attainment": question.attainment,
        "needed_replica_hours": question.needed_hours,
    }


def _run(done: Played, best: float | None) -> dict[str, Any]:
    return {
        "policy": str(done.policy),
        "load_s": done.load_s,
        "initial": done.initial,
        "how": done.how,
        **asdict(done.measures),
        "ratio_to_oracle": done.measures.replica_hours / best if best else None,
        "orders": [asdict(order) for order in done.orders],
        "samples": [asdict(sample) for sample in done.samples],
    }


def _name(done: Played | None) -> str | None:
    return str(done.policy) if done else None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
