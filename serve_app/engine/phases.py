"""The phases of one engine's start, as this process and the ranks of its node mark them."""

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from serve_app.core.start import PHASES, Mark, seconds

VARIABLE = "SERVE_APP_START_MARKS"
"""Names the file that ranks append their marks to; they inherit it."""


class Phases:
    """May be read from any thread, also while the event loop is blocked by the start."""

    def __init__(self) -> None:
        self._own = [Mark(time.monotonic(), next(iter(PHASES)))]
        self._file: Path | None = None
        self._took: dict[str, float] | None = None

    def listen(self) -> None:
        """Hear ranks that are started from now on."""
        descriptor, name = tempfile.mkstemp(prefix="serve-app-start-")
        os.close(descriptor)
        self._file = Path(name)
        os.environ[VARIABLE] = name

    def enter(self, phase: str) -> None:
        self._own.append(Mark(time.monotonic(), phase))

    def end(self) -> None:
        """The engine is ready, or never will be."""
        if self._took is None:
            self._took = seconds(self._marks(), until=time.monotonic())
        if self._file is not None:
            os.environ.pop(VARIABLE, None)
            self._file.unlink(missing_ok=True)
            self._file = None

    @property
    def phase(self) -> str:
        """What it does now, in words that go after "while"."""
        return PHASES[max(self._marks()).phase]

    @property
    def seconds(self) -> Mapping[str, float]:
        """By phase, so far."""
        if self._took is not None:
            return self._took
        return seconds(self._marks(), until=time.monotonic())

    def _marks(self) -> list[Mark]:
        """Ranks' words count from the beginning of the start to the end of the load."""
        file = self._file
        if file is None:
            return self._own
        with suppress(OSError):  # it has just ended
            lines = file.read_text().splitlines()
            heard = [Mark(float(at), phase) for at, phase in map(str.split, lines)]
            return [*self._own, *heard]
        return self._own
