"""The cheapest fleet of someone who knows the trace, and waits as long for a replica.

Found window by window, in the same simulator:

1. Each window is replayed with n replicas, for every n that matters, from `WARM_UP_S` before
   it; its misses are counted. An n matters from the largest that misses nearly all to the
   first that misses next to nothing.
2. One n per window is chosen so that

       Σ n × window + load_s × (replicas added at its beginning) + λ × misses

   is least: by dynamic programming, exact for a λ; and λ is the one with which the misses of
   all windows together stay within what the target allows.
3. The schedule is replayed as a whole, replicas ordered `load_s` before they are due. If it
   misses more than the target allows, since windows are not quite independent, step 2 is
   repeated with a smaller allowance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serve_app.core.autoscaling import Decision
from serve_app.sim.scaling.fleet import Schedule, Seen
from serve_app.sim.scaling.replay import Replay, Setup
from serve_app.sim.traffic import Arrival

WARM_UP_S = 60.0
HOPELESS = 0.5  # share of misses at which fewer replicas are not looked at
ENOUGH = 0.001  # and at which more are not

Misses = dict[int, int]  # replicas → requests of the window that miss


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the trace; `first` and `last` are places in it."""

    at_s: float
    seconds: float
    warm_from: int
    first: int
    last: int


class Scheduled:
    """A scaler that orders `load_s` ahead of when it is due."""

    def __init__(self, schedule: Schedule, load_s: float) -> None:
        self._schedule = schedule
        self._load_s = load_s

    def decide(self, seen: Seen, *, now: float) -> Decision:  # noqa: ARG002 - it knows
        due = [n for at, n in self._schedule if now - 1e-9 >= at]
        coming = [n for at, n in self._schedule if now < at <= now + self._load_s]
        return Decision(max([due[-1] if due else self._schedule[0][1], *coming]), "trace", "")


def windows(arrivals: Sequence[Arrival], window_s: float) -> list[Window]:
    """The whole trace, in windows of `window_s`."""
    found, first, warm = [], 0, 0
    end_s = arrivals[-1].at_s
    for number in range(int(end_s // window_s) + 1):
        at = number * window_s
        last = first
        while last < len(arrivals) and arrivals[last].at_s < at + window_s:
            last += 1
        while arrivals[warm].at_s < at - WARM_UP_S:
            warm += 1
        found.append(Window(at, min(window_s, end_s - at), warm, first, last))
        first = last
    return found


def misses(arrivals: Sequence[Arrival], window: Window, replicas: int, setup: Setup) -> int:
    """How many of a window's requests miss with so many replicas, and a fresh start before it."""
    part = arrivals[window.warm_from : window.last]
    if window.first == window.last:
        return 0
    start_s = part[0].at_s
    shifted = (replace(arrival, at_s=arrival.at_s - start_s) for arrival in part)
    fixed = replace(setup, initial=replicas, least=replicas, most=replicas)
    story = Replay(Scheduled([(0.0, replicas)], 0.0), fixed, lambda _: None).play(shifted)
    measured = range(window.first - window.warm_from, len(part))
    return sum(not story.met(index) for index in measured)


def matter(arrivals: Sequence[Arrival], window: Window, guess: int, setup: Setup) -> Misses:
    """Misses by number of replicas, for those that matter in this window."""
    total = window.last - window.first
    least, most = max(1, setup.least), setup.most
    guess = min(most, max(least, guess))
    found = {guess: misses(arrivals, window, guess, setup)}
    n = guess
    while n > least and found[n] < HOPELESS * total:
        n -= 1
        found[n] = misses(arrivals, window, n, setup)
    n = guess
    while n < most and found[n] > ENOUGH * total:
        n += 1
        found[n] = misses(arrivals, window, n, setup)
    for fewer in range(least, min(found)):
        found[fewer] = total
    for more in range(max(found) + 1, most + 1):
        found[more] = found[max(found)]
    return found


def tables(
    arrivals: Sequence[Arrival],
    setup: Setup,
    window_s: float,
    on_progress: Callable[[float], None],
) -> tuple[list[Window], list[Misses]]:
    """Step 1, which is the same for every load time."""
    parts = windows(arrivals, window_s)
    found: list[Misses] = []
    guess = max(1, setup.initial)
    for window in parts:
        found.append(matter(arrivals, window, guess, setup))
        total = window.last - window.first
        guess = min(n for n, m in found[-1].items() if m <= 0.02 * total or n == setup.most)
        on_progress(window.at_s + window.seconds)
    return parts, found


def choose(
    parts: Sequence[Window], table: Sequence[Misses], load_s: float, allowed: float
) -> list[int]:
    """Step 2: replicas by window, with at most `allowed` misses in all."""
    low, high = 0.0, 1e5
    best = _cheapest(parts, table, load_s, high)
    for _ in range(50):
        weight = (low * high) ** 0.5 if low else high / 1000
        chosen = _cheapest(parts, table, load_s, weight)
        if sum(m[n] for m, n in zip(table, chosen, strict=True)) <= allowed:
            best, high = chosen, weight
        else:
            low = weight
        if low and high / low < 1.001:
            break
    return best


def _cheapest(
    parts: Sequence[Window], table: Sequence[Misses], load_s: float, weight: float
) -> list[int]:
    """Dynamic programming over windows; `weight` is replica-seconds per miss."""
    counts = sorted(table[0])
    costs = {n: n * parts[0].seconds + weight * table[0][n] for n in counts}
    came_from: list[dict[int, int]] = []
    for window, missed in zip(parts[1:], table[1:], strict=True):
        step, origin = {}, {}
        for n in counts:
            before = min(counts, key=lambda b: costs[b] + load_s * max(0, n - b))
            added = load_s * max(0, n - before)
            step[n] = costs[before] + added + n * window.seconds + weight * missed[n]
            origin[n] = before
        costs = step
        came_from.append(origin)
    last = min(counts, key=lambda n: costs[n])
    chosen = [last]
    for origin in reversed(came_from):
        chosen.append(origin[chosen[-1]])
    return chosen[::-1]


def schedule(
    arrivals: Sequence[Arrival],
    setup: Setup,
    *,
    parts: Sequence[Window],
    table: Sequence[Misses],
    target: float = 0.99,
) -> Schedule:
    """Steps 2 and 3."""
    allowed = (1 - target) * len(arrivals)
    share = 1.0
    while True:
        chosen = choose(parts, table, setup.load_s, share * allowed)
        found = [(w.at_s, n) for w, n in zip(parts, chosen, strict=True)]
        scaler = Scheduled(found, setup.load_s)
        story = Replay(scaler, replace(setup, initial=chosen[0]), lambda _: None).play(arrivals)
        missed = sum(not story.met(index) for index in range(len(arrivals)))
        if missed <= allowed or share < 0.01:
            return found
        share *= min(0.9, allowed / missed)
