"""What was found, written as it is found: JSON lines, and a table for docs/log.md."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Results:
    """Appends to `results.jsonl` and `results.md` in `folder`, and prints a line for each."""

    def __init__(self, folder: Path, **about: Any) -> None:
        self.folder = folder
        self._about = about
        self._started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def add(self, what: str, **numbers: Any) -> None:
        """One finding."""
        self._append({"what": what, **_rounded(numbers)})
        words = ", ".join(f"{name} {value}" for name, value in _rounded(numbers).items())
        self._say(f"- {what}: {words}")

    def compare(self, what: str, planned: float, measured: float, **more: Any) -> None:
        """One line of planned | measured | error."""
        error = measured / planned - 1 if planned else float("nan")
        numbers = {"planned": planned, "measured": measured, "error": error, **more}
        self._append({"what": what, **_rounded(numbers)})
        extra = ", ".join(f"{name} {value}" for name, value in _rounded(more).items())
        self._say(f"| {what} | {_short(planned)} | {_short(measured)} | {error:+.0%} | {extra} |")

    def heading(self, words: str) -> None:
        self._say(
            f"\n{words}\n\n| number | planned | measured | error | |\n|---|---:|---:|---:|---|"
        )

    def title(self, words: str) -> None:
        self._say(f"\n## {words}")

    def quote(self, lines: Sequence[str]) -> None:
        """What a command said, as it said it."""
        self._say("\n".join(("```", *lines, "```")))

    def failed(self, what: str, error: BaseException) -> None:
        """It goes on with the next stage, and the failure is a result too."""
        self.add(f"{what} FAILED", error=f"{type(error).__name__}: {error}"[:400])

    def _append(self, record: dict[str, Any]) -> None:
        with (self.folder / "results.jsonl").open("a") as file:
            file.write(json.dumps({**self._about, "at_s": round(self.seconds, 1), **record}) + "\n")

    def _say(self, line: str) -> None:
        print(line, flush=True)
        with (self.folder / "results.md").open("a") as file:
            file.write(line + "\n")


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in numbers.items()}
