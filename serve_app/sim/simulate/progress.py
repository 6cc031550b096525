"""How far a replay is: a bar while it lasts, and a line for each run, on stderr."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from serve_app.sim.simulate.played import Played


class Progress:
    """Of several runs over so many seconds of traffic; without a terminal only lines remain."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def bar(self, title: str) -> Callable[[float], None]:
        """A bar for one run: call what it returns with the second that it has reached."""
        total = round(self._seconds)
        drawn = tqdm(
            total=total,
            desc=title,
            unit=" s of trace",
            disable=None,
            leave=False,
            dynamic_ncols=True,
        )

        def reached(at_s: float) -> None:
            drawn.update(min(round(at_s), total) - drawn.n)
            if drawn.n >= total:
                drawn.close()

        return reached

    def end(self, done: Played, began_at: float) -> None:
        """A line that stays."""
        say(
            f"{done.policy}, load {done.load_s:g} s: {done.measures.attainment:.2%} of "
            f"{done.measures.requests} requests in time, {done.measures.replica_hours:.1f} "
            f"replica-hours ({time.monotonic() - began_at:.0f} s)"
        )


def say(line: str) -> None:
    """A line on stderr, above the bar if there is one."""
    tqdm.write(line, file=sys.stderr)
