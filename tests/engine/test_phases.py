"""What ranks say of a start reaches whoever asks, and is what vLLM says."""

import importlib.util
import logging
import os
import re
from pathlib import Path

import pytest

from serve_app.core.start import PHASES
from serve_app.engine.phases import VARIABLE, Phases
from serve_app.engine.rank_marks import BEGINS, MarkHandler, RankMarks, phase_of
from serve_app.engine.vllm import RANK_MARKS

LOADS = "Starting to load model %s..."


def record(template: str) -> logging.LogRecord:
    return logging.LogRecord("vllm.v1", logging.INFO, "f.py", 1, template, ("x",), None)


@pytest.mark.vllm
def test_a_message_of_a_rank_begins_a_phase_and_others_do_not() -> None:
    phases = Phases()
    phases.listen()
    handler = MarkHandler(os.environ[VARIABLE])

    handler.emit(record("Using %s attention backend"))
    before = phases.phase
    handler.emit(record(LOADS))
    after = phases.phase
    phases.end()

    assert (before, after) == (PHASES["process"], PHASES["weights"])
    assert set(phases.seconds) == {"process", "weights"}


@pytest.mark.vllm
def test_a_rank_on_a_node_without_the_file_makes_none(tmp_path: Path) -> None:
    MarkHandler(str(tmp_path / "marks")).emit(record(LOADS))
    assert not list(tmp_path.iterdir())


def test_what_a_start_took_stays_when_it_is_over() -> None:
    phases = Phases()
    phases.listen()
    file = Path(os.environ[VARIABLE])
    phases.enter("warm_up")
    phases.end()
    took = dict(phases.seconds)
    phases.end()

    assert phases.seconds == took
    assert set(took) == {"process", "warm_up"}
    assert not file.exists()
    assert VARIABLE not in os.environ


def test_each_message_begins_a_known_phase() -> None:
    assert set(BEGINS.values()) < set(PHASES)
    assert phase_of("Starting to load the dishwasher") is None


@pytest.mark.vllm
@pytest.mark.parametrize("part", BEGINS)
def test_the_installed_vllm_logs_this_message(part: str) -> None:
    found = importlib.util.find_spec("vllm")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent
    places = (folder / "v1/worker", folder / "compilation", folder / "model_executor/model_loader")
    # A template may be cut over two lines of source.
    sources = (re.sub(r'"\s+"', "", f.read_text()) for p in places for f in p.rglob("*.py"))
    assert any(part in source for source in sources)


def test_the_name_that_vllm_is_given_is_the_module_of_the_marks() -> None:
    assert f"{RankMarks.__module__}.{RankMarks.__qualname__}" == RANK_MARKS
