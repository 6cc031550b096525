"""`serve-app bench`: words in, tables and files out.

Exit status: 0 is well, 1 when a request failed, 2 when there was nothing to measure, 130
for Ctrl-C before a round was complete.
"""

import argparse
import os
import sys
from pathlib import Path

from serve_app.bench.asked import plan_of
from serve_app.bench.calibration import command as calibration
from serve_app.bench.errors import BenchError
from serve_app.bench.page import html
from serve_app.bench.plan import Plan
from serve_app.bench.progress import say
from serve_app.bench.record import as_json
from serve_app.bench.results import Results
from serve_app.bench.table import markdown
from serve_app.checking.question import QuestionError

STDOUT = "-"


def run(chosen: argparse.Namespace) -> int:
    """Measure and report; returns the exit status."""
    try:
        if chosen.calibrate:
            _check_writable(chosen.calibrate)
            return calibration.run(chosen)
        plan = plan_of(chosen)
        _check_writable(chosen.report)
        _check_writable(None if chosen.json in {None, STDOUT} else Path(chosen.json))
        results = _measured(plan)
    except QuestionError as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nserve-app: stopped before a round was complete", file=sys.stderr)
        return 130
    _report(results, chosen)
    return 1 if results.has_errors else 0


def _measured(plan: Plan) -> Results:
    say("loading vLLM's benchmark client: some seconds")
    try:
        from serve_app.bench.run import measure  # noqa: PLC0415 - imports vLLM
    except ImportError as error:
        raise BenchError(
            f"vLLM's benchmark client is not here ({error}): pip install 'serve-app[cpu]', or [gpu]"
        ) from error
    return measure(plan)


def _check_writable(file: Path | None) -> None:
    """Before the run, not after it."""
    if file and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise BenchError(f"{file} cannot be written; name a file in a folder that is there")


def _report(results: Results, chosen: argparse.Namespace) -> None:
    tables_to = sys.stderr if chosen.json == STDOUT else sys.stdout
    print(markdown(results), end="", file=tables_to)
    if chosen.json == STDOUT:
        print(as_json(results), end="")
    elif chosen.json:
        Path(chosen.json).write_text(as_json(results))
    if chosen.report:
        chosen.report.write_text(html(results))
        say(f"the report is in {chosen.report}")
