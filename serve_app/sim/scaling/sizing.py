"""How many replicas a stretch of traffic needs so that enough of it is served in time.

Played, not calculated: `demand` knows means, and a TPOT or a queue does not live by means.
"""

from collections.abc import Sequence
from dataclasses import replace

from serve_app.sim.scaling.demand import slower
from serve_app.sim.scaling.measures import measures
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

_HALVINGS = 4
_STEP = 1.25
_HOPELESS = 10.0  # times faster than arithmetic says


def in_time(arrivals: Sequence[Arrival], replicas: int, setup: Setup) -> float:
    """Attainment of so many replicas that are ready from the beginning."""
    fixed = replace(setup, load_s=0.0, least=replicas, most=replicas, initial=replicas)
    start_s = arrivals[0].at_s
    shifted = (arrival._replace(at_s=arrival.at_s - start_s) for arrival in arrivals)
    return measures(play(shifted, Static(replicas), fixed)).attainment


def fewest(arrivals: Sequence[Arrival], setup: Setup, target: float, *, guess: float) -> int:
    """The fewest replicas that reach `target`, or `setup.most` where none do."""
    if not arrivals:
        return max(1, setup.least)
    replicas = min(setup.most, max(1, setup.least, int(guess)))
    if in_time(arrivals, replicas, setup) < target:
        while replicas < setup.most:
            replicas += 1
            if in_time(arrivals, replicas, setup) >= target:
                break
        return replicas
    while replicas > max(1, setup.least) and in_time(arrivals, replicas - 1, setup) >= target:
        replicas -= 1
    return replicas


def slowdown(
    arrivals: Sequence[Arrival], setup: Setup, target: float, *, replicas: int, guess: float
) -> float | None:
    """How many times slower replicas may be for `replicas` of them to reach `target`; None if
    they would not reach it however fast they were.

    A trace was recorded on somebody else's fleet; this makes one of `replicas` fit it.
    """

    def reaches(times: float) -> bool:
        slow = replace(setup, rates=slower(setup.rates, times))
        return in_time(arrivals, replicas, slow) >= target

    low = high = guess
    while not reaches(low):
        low, high = low / _STEP, low
        if low < guess / _HOPELESS:
            return None
    for _ in range(_HALVINGS if low < high else 0):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low
