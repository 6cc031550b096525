"""The cheapest schedule that reaches the target when it is played."""

from bisect import bisect_right

import pytest

from serve_app.sim.scaling.ahead import replica_s
from serve_app.sim.scaling.oracle import Window
from serve_app.sim.scaling.schedules import Table
from serve_app.sim.scaling.search import Search, Whole

SECONDS = 600.0
ALLOWED = 100.0


def table(factor=1.0):
    """Ten windows of which each misses half as many with each replica more."""
    parts = [Window(60.0 * place, 60.0) for place in range(10)]
    rows = [
        {n: round(factor * (30 + 7 * place) / 2 ** (n - 1)) for n in range(1, 9)}
        for place in range(10)
    ]
    return Table(parts, rows)


def missed(serving, found):
    times = [at for at, _ in serving]
    counts = [serving[bisect_right(times, w.at_s + 1e-6) - 1][1] for w in found.windows]
    return sum(row[n] for row, n in zip(found.misses, counts, strict=True))


def found(search, real):
    """At the end of a search in which `real` is what windows miss; how many were played."""
    known = {}
    while asked := search.round():
        for candidate in asked:
            whole = Whole(
                missed(candidate.serving, real), replica_s(candidate.serving, SECONDS), SECONDS
            )
            known[candidate.serving] = whole
        search.hear(asked, known)
    return search.best(), known


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.5, 4.0])
def test_the_best_reaches_the_target_and_nothing_played_that_does_is_cheaper(factor):
    best, known = found(
        Search(60.0, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS), table(factor)
    )
    assert known[best.serving].missed <= ALLOWED
    assert known[best.serving].missed > 0.8 * ALLOWED
    assert len(known) < 30


def test_a_target_that_none_reaches_gets_what_misses_least():
    best, known = found(
        Search(60.0, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS), table(1000.0)
    )
    assert known[best.serving].missed == min(whole.missed for whole in known.values())
    assert best.share < 0.2


def test_a_longer_load_costs_more_and_is_never_cheaper_elsewhere():
    costs = []
    for load_s in (0.0, 60.0, 300.0):
        best, known = found(
            Search(load_s, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS), table()
        )
        costs.append(best.cost_s(known[best.serving]))
    assert costs == sorted(costs)


def test_a_candidate_says_where_it_is_from():
    search = Search(60.0, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
    first = search.round()[0]
    assert (
        str(first)
        == "windows of 60 s, 30 s for a replica that is added, 1.00 of the misses allowed"
    )


def test_what_was_played_for_a_longer_load_is_known_to_a_shorter_one():
    """So that a shorter load never costs more."""
    long, short = (
        Search(load_s, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
        for load_s in (300.0, 30.0)
    )
    asked = long.round()
    known = {
        c.serving: Whole(missed(c.serving, table()), replica_s(c.serving, SECONDS), SECONDS)
        for c in asked
    }
    short.hear(asked, known | {c.serving: Whole(999, 9e9, SECONDS) for c in short.round()})
    best = short.best()
    assert best.load_s == 30.0
    assert best.serving in known
    assert best.cost_s(known[best.serving]) <= min(c.cost_s(known[c.serving]) for c in asked)
