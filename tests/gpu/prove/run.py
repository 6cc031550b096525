"""What the stages share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gpu.prove import models
from tests.gpu.prove.processes import Sessions
from tests.gpu.prove.results import Results

BESIDE_S = 25.0  # left at the end of the limit, for killing and for copying logs

STEPS = ("chat and stream", "abort", "measure", "kill", "scale", "calibrate", "load")


@dataclass
class Run:
    """What the stages share."""

    folder: Path
    out: Path
    tokenizer: Path
    hardware: str  # as in `serve-app plan --on`, of one GPU
    cpu: bool
    mode: str
    layers: int
    limit_s: float
    skipped: tuple[str, ...]  # steps
    results: Results
    sessions: Sessions

    def left_s(self) -> float:
        return self.limit_s - self.results.seconds - BESIDE_S

    def step(self, what: str, action: Callable[[], None], *, needs_s: float) -> None:
        """Do it if there is time, and go on whatever comes of it."""
        if what in self.skipped:
            return
        if self.left_s() < needs_s:
            self.results.add(f"{what} LEFT OUT", seconds_left=self.left_s())
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a failure is a result
            self.results.failed(what, error)

    def write(self, name: str, config: dict[str, Any]) -> str:
        folder = self.folder / "models" / name
        models.write(config, folder, tokenizer=self.tokenizer)
        return str(folder)
