"""Rates that `serve-app bench --calibrate` has measured, or that somebody wrote down."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from serve_app.checking.question import QuestionError
from serve_app.sim.scaling.fleet import Rates, Steps

SIZES = ("kv_tokens", "max_num_seqs", "chunk_tokens")
LINE = ("decode_step_s", "decode_step_per_seq_s")  # instead of `decode_steps`
EXTRAS = ("overhead_s", "read_step_s")  # 0 where a file has none
NAMES = ("prefill_tokens_per_s", "decode_steps", *SIZES)


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
    prefill, steps = float(found["prefill_tokens_per_s"]), _steps(found)
    sizes = [int(found[name]) for name in SIZES]
    extras = [float(found.get(name, 0.0)) for name in EXTRAS]
    numbers = zip(
        ("prefill_tokens_per_s", *SIZES, *EXTRAS), (prefill, *sizes, *extras), strict=True
    )
    for name, number in numbers:
        if not 0 <= number < math.inf or (not number and name not in EXTRAS):
            raise ValueError(f"{name} is {number}")
    kv_tokens, max_num_seqs, chunk_tokens = sizes
    return Rates(
        prefill,
        steps,
        kv_tokens,
        max_num_seqs,
        chunk_tokens,
        **dict(zip(EXTRAS, extras, strict=True)),
        reading=tuple(_reading(found)),
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


def _reading(found: dict[str, Any]) -> Iterator[tuple[int, float]]:
    points = [(int(tokens), float(took_s)) for tokens, took_s in found.get("reading", ())]
    for (fewer, shorter_s), (more, longer_s) in pairwise([(0, 0.0), *points]):
        if not (fewer < more and shorter_s <= longer_s < math.inf):
            raise ValueError(f"reading: {more} take {longer_s} s after {fewer} {shorter_s} s")
        yield more, longer_s


def _steps(found: dict[str, Any]) -> Steps:
    steps = tuple(_listed(found)) if "decode_steps" in found else _line(found)
    if not steps or steps[0][0] < 1:
        raise ValueError(f"decode_steps are {steps}: they begin with that of 1 sequence")
    for (fewer, shorter_s), (more, longer_s) in pairwise(steps):
        if not (fewer < more and shorter_s <= longer_s < math.inf):
            raise ValueError(f"decode_steps: {more} take {longer_s} s after {fewer} {shorter_s} s")
    if not 0 < steps[0][1] < math.inf:
        raise ValueError(f"a decode step of {steps[0][0]} takes {steps[0][1]} s")
    return steps


def _listed(found: dict[str, Any]) -> Iterator[tuple[int, float]]:
    for sequences, step_s in found["decode_steps"]:
        yield int(sequences), float(step_s)


def _line(found: dict[str, Any]) -> Steps:
    step_s, per_seq_s = (float(found[name]) for name in LINE)
    return ((1, step_s), (2, step_s + per_seq_s))
