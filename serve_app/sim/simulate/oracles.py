"""The oracle of each load time: somebody who knows the trace, and waits as long for a replica.

What each window needs is found first, which is the same for all load times; then schedules
are played as a whole, round by round; then the cheapest of each load time once more, with it,
for the report.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from serve_app.sim.scaling.ahead import Scheduled
from serve_app.sim.scaling.oracle import WARM_UP_S, Misses, Window, needs, windows
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.schedules import Table
from serve_app.sim.scaling.search import Candidate, Search, Serving, Whole
from serve_app.sim.simulate.played import Played, played
from serve_app.sim.simulate.policies import ORACLE, Policy
from serve_app.sim.simulate.progress import Progress
from serve_app.sim.simulate.question import Question
from serve_app.sim.simulate.workers import Reached, Workers

WINDOWS_S = (60.0, 300.0)
STRETCH_S = 600.0  # of windows that one process looks at in a row

Stretch = tuple[Window, ...]


def oracles(question: Question, workers: Workers, progress: Progress) -> list[Played]:
    """One for each load time."""
    search = _search(question, workers, _tables(question, workers))
    pieces = [(load_s, search.best(load_s)) for load_s in question.load_times_s]
    done = []
    for _, oracle in workers.each(_final, pieces, ORACLE, seconds=question.traffic.seconds):
        progress.end(oracle)
        done.append(oracle)
    return done


def _tables(question: Question, workers: Workers) -> Mapping[float, Table]:
    """By length of windows; those of a short trace are shorter."""
    longest_s, seconds = question.survey.windows[0].seconds, question.traffic.seconds
    lengths = dict.fromkeys(min(length, longest_s) for length in WINDOWS_S)
    parts = {length: windows(seconds, length) for length in lengths}
    stretches = [piece for length in parts for piece in _stretches(parts[length], length)]
    title = f"{ORACLE}: what each window needs"
    found: dict[Window, Misses] = {}
    each_s = len(parts) * seconds / len(stretches)
    for stretch, missed in workers.each(_needs, stretches, title, seconds=each_s):
        found |= zip(stretch, missed, strict=True)
    return {length: Table(parts[length], [found[w] for w in parts[length]]) for length in parts}


def _stretches(parts: Iterable[Window], length: float) -> Iterable[Stretch]:
    left = iter(parts)
    while stretch := tuple(islice(left, max(1, int(STRETCH_S // length)))):
        yield stretch


def _needs(question: Question, stretch: Stretch, _: Reached) -> list[Misses]:
    arrivals = question.traffic.between(stretch[0].at_s - WARM_UP_S, stretch[-1].until_s)
    return needs(list(arrivals), stretch, question.setup(0.0))


def _search(question: Question, workers: Workers, tables: Mapping[float, Table]) -> Search:
    """At its end."""
    seconds = question.traffic.seconds
    allowed = (1 - question.attainment) * question.survey.requests
    search = Search(question.load_times_s, tables, allowed=allowed, seconds=seconds)
    known: dict[Serving, Whole] = {}
    while asked := search.round():
        new = list(dict.fromkeys(c.serving for c in asked if c.serving not in known))
        known |= workers.each(_whole, new, f"{ORACLE}: {len(new)} schedules", seconds=seconds)
        search.hear(known)
    return search


def _whole(question: Question, serving: Serving, reached: Reached) -> Whole:
    scaler = Scheduled(serving, 0.0)
    setup = question.setup(0.0, scaler.initial)
    story = play(question.traffic, scaler, setup, on_progress=reached)
    missed = sum(not story.met(index) for index in range(len(story.at_s)))
    return Whole(missed, story.replica_s, story.seconds)


def _final(question: Question, piece: tuple[float, Candidate], reached: Reached) -> Played:
    load_s, best = piece
    scaler = Scheduled(best.serving, load_s)
    setup = question.setup(load_s, scaler.initial)
    story = play(question.traffic, scaler, setup, on_progress=reached)
    return played(Policy(ORACLE), load_s, scaler.initial, story, how=str(best))
