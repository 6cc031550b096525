"""Rates that `serve-app bench --calibrate` has measured, or that somebody wrote down."""

import json
import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from serve_app.checking.question import QuestionError
from serve_app.core.curve import Steps
from serve_app.sim.scaling.fleet import Rates

SIZES = ("kv_tokens", "max_num_seqs", "chunk_tokens")
RATE = "prefill_tokens_per_s"
LINE = ("decode_step_s", "decode_step_per_seq_s")  # instead of `decode_steps`
EXTRAS = ("overhead_s", "read_step_s")  # 0 where a file has none
NAMES = (RATE, "decode_steps", *SIZES)


def calibrated(file: Path, option: str = "--calibration") -> Rates:
    """Rates by name, at the top of a JSON object or under `rates`."""
    try:
        return rates_in(json.loads(file.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        what, names = f"{type(error).__name__}: {error}", ", ".join(NAMES)
        raise QuestionError(f"{option} {file}: no rates ({what}); it has {names}") from error


def rates_in(document: dict[str, Any]) -> Rates:
    """Raises what a wrong document makes."""
    found = document.get("rates", document)
    numbers: dict[str, Any] = {RATE: float(found[RATE])}
    numbers |= {name: int(found[name]) for name in SIZES}
    numbers |= {name: float(found.get(name, 0.0)) for name in EXTRAS}
    for name, number in numbers.items():
        if not 0 <= number < math.inf or (not number and name not in EXTRAS):
            raise ValueError(f"{name} is {number}")
    return Rates(
        **numbers,
        decode_steps=_steps(found),
        reading=_reading(found),
        beside=_share(found.get("beside", 1.0)),
        steps_ahead=_ahead(found.get("steps_ahead", 0)),
    )


def _share(beside: Any) -> float:
    if not 0 <= float(beside) <= 1:
        raise ValueError(f"beside is {beside}: a share, from 0 to 1")
    return float(beside)


def _ahead(steps: Any) -> int:
    if steps not in (0, 1):
        raise ValueError(f"steps_ahead is {steps}: 0, or 1 as with vLLM's async scheduling")
    return int(steps)


def _reading(found: dict[str, Any]) -> Steps:
    points = _listed(found.get("reading", ()))
    _check_rises("reading", ((0, 0.0), *points))
    return points


def _steps(found: dict[str, Any]) -> Steps:
    steps = _listed(found["decode_steps"]) if "decode_steps" in found else _line(found)
    if not steps or steps[0][0] < 1:
        raise ValueError(f"decode_steps are {steps}: they begin with that of 1 sequence")
    _check_rises("decode_steps", steps)
    if not 0 < steps[0][1] < math.inf:
        raise ValueError(f"a decode step of {steps[0][0]} takes {steps[0][1]} s")
    return steps


def _check_rises(name: str, points: Steps) -> None:
    for (fewer, shorter_s), (more, longer_s) in pairwise(points):
        if not (fewer < more and shorter_s <= longer_s < math.inf):
            raise ValueError(f"{name}: {more} take {longer_s} s after {fewer} {shorter_s} s")


def _listed(points: Iterable[Any]) -> Steps:
    return tuple((int(number), float(took_s)) for number, took_s in points)


def _line(found: dict[str, Any]) -> Steps:
    step_s, per_seq_s = (float(found[name]) for name in LINE)
    return ((1, step_s), (2, step_s + per_seq_s))
