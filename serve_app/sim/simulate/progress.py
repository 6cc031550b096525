"""How far a replay is: a bar while it lasts, and a line for each run, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from serve_app.sim.simulate.played import Played


class Progress:
    """Of all runs together; without a terminal only lines remain."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()

    @contextmanager
    def bar(self, title: str, seconds: float) -> Iterator[Callable[[float], None]]:
        """A bar for so many seconds of trace: call what comes with the one that was reached."""
        total = round(seconds)
        with tqdm(
            total=total,
            desc=title,
            unit=" s of trace",
            disable=None,  # where there is no terminal
            leave=False,
            dynamic_ncols=True,
        ) as drawn:
            yield lambda at_s: _move(drawn, min(round(at_s), total))

    def end(self, done: Played) -> None:
        """A line that stays."""
        say(
            f"{done.policy}, load {done.load_s:g} s: {done.measures.attainment:.2%} of "
            f"{done.measures.requests} requests in time, {done.measures.replica_hours:.2f} "
            f"replica-hours ({time.monotonic() - self._began_at:.0f} s)"
        )


def _move(drawn: "tqdm[NoReturn]", place: int) -> None:
    drawn.update(max(0, place - drawn.n))


def say(line: str) -> None:
    """A line on stderr, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)
