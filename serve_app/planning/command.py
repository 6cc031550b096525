"""`serve-app plan`: a question in, a table, JSON or a Serve YAML out.

Exit status: 0 is well, 1 when nothing is possible, 2 when the question is wrong.
"""

import argparse
import sys
from pathlib import Path

from serve_app.core.roofline import Workload
from serve_app.planning.answer import Answer, answer_to
from serve_app.planning.errors import PlanError
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import model_of
from serve_app.planning.question import Question, context_of
from serve_app.planning.record import as_json
from serve_app.planning.table import page
from serve_app.planning.writing import as_yaml


def run(chosen: argparse.Namespace) -> int:
    """Answer, and write what was asked for; returns the exit status."""
    try:
        answer = answer_to(_question(chosen))
        _write(chosen.write, answer)
    except PlanError as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 2
    print(as_json(answer) if chosen.json else page(answer))
    return 0 if answer.best else 1


def _question(chosen: argparse.Namespace) -> Question:
    hardware = hardware_of(chosen.on)
    model = model_of(chosen.model)
    workload = Workload(chosen.input_tokens, chosen.output_tokens)
    context = context_of(chosen.context, model)
    if workload.tokens > context:
        raise PlanError(
            f"a typical request has {workload.tokens} tokens, and --context is {context}: lower "
            "--input-tokens or --output-tokens, or raise --context"
        )
    load = (workload, chosen.slo, chosen.concurrency)
    return Question(model, hardware, context, *load, has_mtp=chosen.mtp)


def _write(file: Path | None, answer: Answer) -> None:
    if file is None or answer.best is None:
        return
    try:
        file.write_text(as_yaml(answer.question, answer.best), encoding="utf-8")
    except OSError as error:
        raise PlanError(f"--write {file} cannot be written ({error.strerror})") from error
    print(f"written to {file}; next: serve-app check {file}", file=sys.stderr)
