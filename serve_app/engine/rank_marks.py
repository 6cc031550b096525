"""Tells the replica of its node how far a rank of vLLM has come.

Ranks load weights, compile and capture graphs in processes of their own; what they do shows only
in their log (vLLM 0.32). vLLM imports this module in every rank before it makes the model,
because `worker_extension_cls` names `RankMarks`, and from then on what the first rank of a node
logs is matched with `BEGINS`. Matched are the templates of vLLM's messages, which its log level
must let through (INFO, the default).
"""

import logging
import os
import time
from contextlib import suppress

from serve_app.engine.phases import VARIABLE

BEGINS = {
    "Starting to load model": "weights",
    "Loading model from scratch": "weights",
    "Loading weights took": "memory",
    "Model loading took": "memory",
    "Starting torch.compile": "compile",
    "Warming up model for the compilation": "compile",
    "torch.compile took": "memory",
    "torch.compile and initial profiling": "memory",
    "Available KV cache memory": "graphs",
}
"""What a message says has begun, by a part of its template."""


class RankMarks:
    """vLLM adds this to its worker's bases; it is only named for its module's sake."""


class MarkHandler(logging.Handler):
    """Appends a line for each phase that begins: when, and which."""

    def __init__(self, file: str) -> None:
        super().__init__(logging.INFO)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        phase = phase_of(str(record.msg))
        if phase is None or not _is_first_rank():
            return
        line = f"{time.monotonic()} {phase}\n".encode()
        # Not made here: on another node than the replica's there is none, and nobody to read it.
        with suppress(OSError):
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, line)
            finally:
                os.close(file)


def phase_of(template: str) -> str | None:
    return next((phase for part, phase in BEGINS.items() if part in template), None)


def _is_first_rank() -> bool:
    """Of its node; the others would say the same a little later."""
    from vllm.distributed.parallel_state import is_local_first_rank  # noqa: PLC0415 - heavy

    return bool(is_local_first_rank())


def _listen() -> None:
    file = os.environ.get(VARIABLE)
    if file:
        logging.getLogger("vllm").addHandler(MarkHandler(file))


_listen()
