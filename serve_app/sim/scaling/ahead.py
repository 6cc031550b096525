"""A schedule of replicas that take a while to load: when to order them, and what that costs.

A schedule says how many are due from when on. Each is ordered `load_s` before it is due; so at
any moment as many are ordered as are due at some time of the next `load_s`. Who is due again
before that is kept meanwhile, since a new one would cost no less.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise

from serve_app.core.autoscaling import Decision
from serve_app.sim.scaling.fleet import Schedule, Seen

_SAME_S = 1e-6  # moments that are no further apart are one


def ordered(due: Schedule, load_s: float) -> Schedule:
    """How many are paid for, but for those that drain."""
    return _over(due, max, back_s=0.0, ahead_s=load_s)


def ready(due: Schedule, load_s: float) -> Schedule:
    """How many serve: as many as are due or more. What is ordered at 0 was ordered before it."""
    return _over(ordered(due, load_s), min, back_s=load_s, ahead_s=0.0)


def replica_s(steps: Schedule, until_s: float) -> float:
    """Replica-seconds from 0 on."""
    ends = pairwise([*(min(at, until_s) for at, _ in steps), until_s])
    return sum(n * (end - at) for (_, n), (at, end) in zip(steps, ends, strict=True))


def loading_s(due: Schedule, load_s: float, until_s: float) -> float:
    """Replica-seconds in which they load."""
    paid, serving = ordered(due, load_s), ready(due, load_s)
    return replica_s(paid, until_s) - replica_s(serving, until_s)


def _over(
    steps: Schedule, pick: Callable[[Iterable[int]], int], *, back_s: float, ahead_s: float
) -> Schedule:
    """At each moment the `pick` of what `steps` say from `back_s` before it to `ahead_s` after."""
    times, counts = [at for at, _ in steps], [n for _, n in steps]
    moments = {0.0, *(at - ahead_s for at in times), *(at + back_s for at in times), *times}
    found: list[tuple[float, int]] = []
    for moment in sorted(moment for moment in moments if moment >= 0):
        first = max(0, bisect_right(times, moment - back_s + _SAME_S) - 1)
        picked = pick(counts[first : bisect_right(times, moment + ahead_s + _SAME_S)])
        if not found or found[-1][1] != picked:
            found.append((moment, picked))
    return found


class Scheduled:
    """A scaler that knows what is due, and orders it in time."""

    def __init__(self, due: Schedule, load_s: float) -> None:
        self._steps = ordered(due, load_s)
        self._times = [at for at, _ in self._steps]

    @property
    def initial(self) -> int:
        """Replicas to begin with."""
        return self._steps[0][1]

    def decide(self, seen: Seen, *, now: float) -> Decision:  # noqa: ARG002 - it knows
        place = bisect_right(self._times, now + _SAME_S) - 1
        return Decision(self._steps[place][1], "trace", "")
