"""`serve-app plan`: a question in, a table, JSON or a Serve YAML out.

Exit status: 0 is well, 1 when nothing is possible, 2 when the question is wrong.
"""

import argparse
import sys

from serve_app.core.roofline import Workload
from serve_app.planning.answer import Answer, answer_to
from serve_app.planning.errors import PlanError
from serve_app.planning.hardware import hardware_of
from serve_app.planning.model import model_of
from serve_app.planning.question import Question, context_of
from serve_app.planning.record import as_json
from serve_app.planning.table import page


def run(chosen: argparse.Namespace) -> int:
    """Answer, and write what was asked for; returns the exit status."""
    try:
        answer = answer_to(_question(chosen))
        print(as_json(answer) if chosen.json else page(answer))
        return _write(chosen, answer) if answer.best else 1
    except (PlanError, OSError) as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 2


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
    return Question(model, hardware, context, workload, chosen.slo, chosen.concurrency)


def _write(chosen: argparse.Namespace, answer: Answer) -> int:
    if chosen.write is None or answer.best is None:
        return 0
    from serve_app.planning.writing import as_yaml  # noqa: PLC0415 - as `check` is, with Ray

    chosen.write.write_text(as_yaml(answer.question, answer.best), encoding="utf-8")
    print(f"written to {chosen.write}; next: serve-app check {chosen.write}", file=sys.stderr)
    return 0
