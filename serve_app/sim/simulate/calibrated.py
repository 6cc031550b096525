"""Rates that `serve-app bench --calibrate` has measured, or that somebody wrote down."""

import json
import math
from pathlib import Path
from typing import Any

from serve_app.checking.question import QuestionError
from serve_app.sim.scaling.fleet import Rates

SPEEDS = ("prefill_tokens_per_s", "decode_step_s", "decode_step_per_seq_s")
SIZES = ("kv_tokens", "max_num_seqs", "chunk_tokens")
_EXTRAS = ("overhead_s", "read_step_s")  # 0 where a file has none
_MAY_BE_ZERO = ("decode_step_per_seq_s", *_EXTRAS)


def calibrated(file: Path, option: str = "--calibration") -> Rates:
    """Rates by name, at the top of a JSON object or under `rates`."""
    try:
        return rates_in(json.loads(file.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        names = ", ".join((*SPEEDS, *SIZES))
        raise QuestionError(f"{option} {file}: no rates ({what}); it has {names}") from error


def rates_in(document: dict[str, Any]) -> Rates:
    """Raises what a wrong document makes."""
    found = document.get("rates", document)
    prefill, step, per_seq = (float(found[name]) for name in SPEEDS)
    kv_tokens, max_num_seqs, chunk_tokens = (int(found[name]) for name in SIZES)
    overhead, read_step = (float(found.get(name, 0.0)) for name in _EXTRAS)
    sizes = (kv_tokens, max_num_seqs, chunk_tokens)
    return _checked(Rates(prefill, step, per_seq, *sizes, overhead, read_step))


def _checked(rates: Rates) -> Rates:
    for name in (*SPEEDS, *SIZES, *_EXTRAS):
        number = getattr(rates, name)
        if not 0 <= number < math.inf or (number == 0 and name not in _MAY_BE_ZERO):
            raise ValueError(f"{name} is {number}")
    return rates
