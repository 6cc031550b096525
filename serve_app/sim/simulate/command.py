"""`serve-app simulate`: words in, tables and files out.

Exit status: 0 is well, 2 when there was nothing to replay, 130 for Ctrl-C.
"""

import argparse
import os
import sys
from pathlib import Path

from serve_app.checking.question import QuestionError
from serve_app.sim.simulate.asked import question_of
from serve_app.sim.simulate.check import check
from serve_app.sim.simulate.document import document
from serve_app.sim.simulate.options import USAGE
from serve_app.sim.simulate.page import html
from serve_app.sim.simulate.progress import say
from serve_app.sim.simulate.runs import run
from serve_app.sim.simulate.table import markdown


def simulate(chosen: argparse.Namespace) -> int:
    """Replay and report; returns the exit status."""
    try:
        if chosen.check:
            print(check(chosen.check), end="")
            return 0
        _require(chosen)
        question = question_of(chosen)
        runs = run(question, jobs=chosen.jobs)
    except QuestionError as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nserve-app: stopped before the replay was complete", file=sys.stderr)
        return 130
    print(document(question, runs) if chosen.json else markdown(question, runs), end="")
    if chosen.report:
        chosen.report.write_text(html(question, runs), encoding="utf-8")
        say(f"the report is in {chosen.report}")
    return 0


def _require(chosen: argparse.Namespace) -> None:
    missing = [name for name in ("file", "trace", "format") if getattr(chosen, name) is None]
    if missing:
        raise QuestionError(f"there is no {' and no '.join(missing)}; usage: {USAGE}")
    if chosen.jobs < 1:
        raise QuestionError(f"--jobs is {chosen.jobs}; it must be at least 1")
    file: Path | None = chosen.report
    if file and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise QuestionError(f"{file} cannot be written; name a file in a folder that is there")
