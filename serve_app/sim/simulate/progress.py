"""How far a replay is: a bar while it lasts, and a line for each run, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from serve_app.sim.simulate.played import Played


class Progress:
    """Of several runs over so many seconds of traffic; without a terminal only lines remain."""

    def __init__(self, seconds: float, *, hidden: bool = False) -> None:
        self._seconds = seconds
        self._disable = True if hidden else None  # None is where there is no terminal

    @contextmanager
    def bar(self, title: str) -> Iterator[Callable[[float], None]]:
        """A bar for one run: call what comes with the second that it has reached."""
        total = round(self._seconds)
        with tqdm(
            total=total,
            desc=title,
            unit=" s of trace",
            disable=self._disable,
            leave=False,
            dynamic_ncols=True,
        ) as drawn:
            yield lambda at_s: _move(drawn, min(round(at_s), total))

    def end(self, done: Played, began_at: float) -> None:
        """A line that stays."""
        say(
            f"{done.policy}, load {done.load_s:g} s: {done.measures.attainment:.2%} of "
            f"{done.measures.requests} requests in time, {done.measures.replica_hours:.1f} "
            f"replica-hours ({time.monotonic() - began_at:.0f} s)"
        )


def _move(drawn: "tqdm[NoReturn]", place: int) -> None:
    drawn.update(place - drawn.n)


def say(line: str) -> None:
    """A line on stderr, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)
