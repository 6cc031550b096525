"""What each window of a trace needs, for someone who knows it.

Each window is replayed with n replicas, for every n that matters, from `WARM_UP_S` before it,
and its misses are counted. An n matters from the largest that misses nearly all to the first
that misses next to nothing. How long a replica loads does not matter here.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from serve_app.sim.scaling import demand
from serve_app.sim.scaling.ahead import Scheduled
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

WARM_UP_S = 60.0
HOPELESS = 0.5  # share of misses at which fewer replicas are not looked at
ENOUGH = 0.001  # and at which more are not
FEW = 0.02  # and with which the next window begins

Misses = dict[int, int]  # replicas → requests of the window that miss


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the trace."""

    at_s: float
    seconds: float

    @property
    def until_s(self) -> float:
        return self.at_s + self.seconds


def windows(seconds: float, window_s: float) -> list[Window]:
    """A trace of so many seconds, in windows of `window_s`; the last one may be shorter."""
    count = max(1, math.ceil(seconds / window_s - 1e-9))
    starts = [number * window_s for number in range(count)]
    return [Window(at, min(window_s, seconds - at)) for at in starts]


def needs(arrivals: Sequence[Arrival], parts: Sequence[Window], setup: Setup) -> list[Misses]:
    """The misses of windows in a row. `arrivals` are theirs, with those of `WARM_UP_S` before."""
    found: list[Misses] = []
    guess = _guess(arrivals, parts, setup)
    for window in parts:
        begin, end = (_place(arrivals, at) for at in (window.at_s - WARM_UP_S, window.until_s))
        warm = _place(arrivals, window.at_s) - begin
        found.append(_matter(arrivals[begin:end], warm, guess, setup))
        few = FEW * (end - begin - warm)
        guess = min(n for n, missed in found[-1].items() if missed <= few or n == setup.most)
    return found


def _place(arrivals: Sequence[Arrival], at_s: float) -> int:
    return bisect_left(arrivals, at_s, key=lambda arrival: arrival.at_s)


def _guess(arrivals: Sequence[Arrival], parts: Sequence[Window], setup: Setup) -> int:
    prompts = sum(arrival.prompt_tokens for arrival in arrivals)
    answers = sum(arrival.output_tokens for arrival in arrivals)
    seconds = WARM_UP_S + parts[-1].until_s - parts[0].at_s
    found = demand.Window(seconds, len(arrivals), prompts, answers)
    return int(min(setup.most, found.replicas(setup.rates, setup.slo)))


def _matter(arrivals: Sequence[Arrival], warm: int, guess: int, setup: Setup) -> Misses:
    """Misses by number of replicas, those that do not matter filled in; `warm` do not count."""
    total = len(arrivals) - warm
    least, most = max(1, setup.least), setup.most
    n = guess = min(most, max(least, guess))
    found = {n: misses(arrivals, warm, n, setup)}
    while n > least and found[n] < HOPELESS * total:
        n -= 1
        found[n] = misses(arrivals, warm, n, setup)
    n = guess
    while n < most and found[n] > ENOUGH * total:
        n += 1
        found[n] = misses(arrivals, warm, n, setup)
    fewer = dict.fromkeys(range(least, min(found)), total)
    more = dict.fromkeys(range(max(found) + 1, most + 1), found[max(found)])
    return fewer | found | more


def misses(arrivals: Sequence[Arrival], warm: int, replicas: int, setup: Setup) -> int:
    """How many but the first `warm` miss with so many replicas and a fresh start."""
    if warm == len(arrivals):
        return 0
    start_s = arrivals[0].at_s
    shifted = (arrival._replace(at_s=arrival.at_s - start_s) for arrival in arrivals)
    fixed = replace(setup, load_s=0.0, initial=replicas, least=replicas, most=replicas)
    story = play(shifted, Scheduled([(0.0, replicas)], 0.0), fixed)
    return sum(not story.met(index) for index in range(warm, len(arrivals)))
