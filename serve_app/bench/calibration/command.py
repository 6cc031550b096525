"""Writes the calibration file, and says what was fitted."""

import argparse
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from serve_app.bench.calibration.asked import Asked, asked_of
from serve_app.bench.errors import BenchError
from serve_app.bench.machine import machine, versions
from serve_app.bench.progress import say
from serve_app.calibration.document import Calibration, document
from serve_app.calibration.fit import CalibrationError
from serve_app.calibration.words import speeds


def run(chosen: argparse.Namespace) -> int:
    """Measure, fit and write; raises `BenchError` where that cannot be."""
    asked = asked_of(chosen)
    say("loading vLLM's benchmark client: some seconds")
    try:
        from serve_app.bench.calibration.run import calibrate  # noqa: PLC0415 - imports vLLM
    except ImportError as error:
        raise BenchError(
            f"vLLM's benchmark client is not here ({error}): pip install 'serve-app[cpu]', or [gpu]"
        ) from error
    started_at = datetime.now(UTC)
    try:
        found = calibrate(asked)
        text, said = _text(found, asked, started_at), summary(found, chosen.calibrate)
    except CalibrationError as error:
        raise BenchError(str(error)) from error
    chosen.calibrate.write_text(text, encoding="utf-8")
    print(said)
    return 0


def summary(found: Calibration, file: Path) -> str:
    """What was fitted, and what comes next."""
    sizes = found.sizes
    worst = [max(map(abs, residuals)) for residuals in found.residuals]
    return (
        f"{speeds(found.speeds)}\n"
        f"{sizes.kv_tokens} KV tokens, {sizes.max_num_seqs} sequences, {sizes.chunk_tokens} "
        f"tokens a step, {('none', 'one')[sizes.steps_ahead]} decided on ahead\n"
        f"the fit is off by at most {worst[0]:.0%} for a prompt alone, {worst[1]:.0%} for a step "
        f"that decodes, {worst[2]:.0%} for one that reads, too\n"
        f"how well it tells a load: serve-app simulate --check {file}"
    )


def _text(found: Calibration, asked: Asked, started_at: datetime) -> str:
    [target] = asked.plan.targets
    measured = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "command": shlex.join(["serve-app", *sys.argv[1:]]),
        "target": target.url,
        "versions": versions(),
        "machine": machine(),
        "workload": str(asked.work),
        "rounds": asked.plan.rounds,
    }
    whole = document(found, measured)
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
