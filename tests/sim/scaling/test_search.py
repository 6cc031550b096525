"""The cheapest schedule that reaches the target when it is played."""

from bisect import bisect_right

import pytest

from serve_app.sim.scaling.ahead import ready, replica_s
from serve_app.sim.scaling.oracle import Window
from serve_app.sim.scaling.schedules import Table
from serve_app.sim.scaling.search import Candidate, Search, Whole

SECONDS = 1200.0
ALLOWED = 100.0
LOADS_S = (0.0, 60.0, 300.0)


def table(factor=1.0):
    """Twenty windows, every other one busy; each replica more halves the misses."""
    parts = [Window(60.0 * place, 60.0) for place in range(20)]
    busy = [(10 + 70 * (place % 2) + 3 * place) * factor for place in range(20)]
    return Table(parts, [{n: round(most / 2 ** (n - 1)) for n in range(1, 9)} for most in busy])


def missed(serving, real):
    times = [at for at, _ in serving]
    counts = [serving[bisect_right(times, w.at_s + 1e-6) - 1][1] for w in real.windows]
    return sum(row[n] for row, n in zip(real.misses, counts, strict=True))


def ended(load_times_s, factor=1.0):
    """A search whose schedules miss `factor` of what its windows say, and what was played."""
    search = Search(load_times_s, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
    real, known = table(factor), {}
    while asked := search.round():
        for serving in {candidate.serving for candidate in asked}:
            known[serving] = Whole(missed(serving, real), replica_s(serving, SECONDS), SECONDS)
        search.hear(known)
    return search, known


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("load_s", LOADS_S)
def test_the_best_is_the_cheapest_of_what_was_played_and_reaches_the_target(factor, load_s):
    search, known = ended(LOADS_S, factor)
    best = search.best(load_s)
    cost_s = best.cost_s(load_s, known[best.serving])
    assert 0.7 * ALLOWED < known[best.serving].missed <= ALLOWED
    for serving, whole in known.items():
        if whole.missed <= ALLOWED and tuple(ready(serving, load_s)) == serving:
            assert cost_s <= Candidate(0, 0, 0, 0, serving).cost_s(load_s, whole)
    assert len(known) < 30


def test_the_first_ladder_goes_ahead_until_it_reaches_the_target():
    search = Search(LOADS_S, {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
    [first] = search.round()
    assert (first.price_s, first.keep_s, first.share) == (120.0, 300.0, 1.0)
    search.hear({first.serving: Whole(200, 9e9, SECONDS)})
    [second] = search.round()
    assert second.share == pytest.approx(0.48, abs=0.01)
    search.hear({second.serving: Whole(90, 9e9, SECONDS)})
    others = search.round()
    assert len(others) > 3
    assert [candidate.share for candidate in others] == pytest.approx(
        [0.53] * len(others), abs=0.01
    )


def test_what_costs_more_than_the_best_is_not_played():
    search = Search((30.0,), {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
    [first] = search.round()
    search.hear({first.serving: Whole(round(ALLOWED), 1.0, SECONDS)})
    assert search.round() == []
    assert search.best(30.0) == first


def test_a_target_that_none_reaches_gets_what_misses_least():
    search, known = ended(LOADS_S, 1000.0)
    best = search.best(60.0)
    assert known[best.serving].missed == min(whole.missed for whole in known.values())


def test_a_longer_load_never_costs_less():
    search, known = ended(LOADS_S)
    best = [search.best(load_s) for load_s in LOADS_S]
    costs = [b.cost_s(s, known[b.serving]) for s, b in zip(LOADS_S, best, strict=True)]
    assert costs == sorted(costs)


def test_a_load_longer_than_all_has_schedules_that_keep_so_long():
    search, _ = ended((20.0, 450.0))
    assert search.best(450.0).keep_s == 450.0
    assert search.best(20.0).keep_s >= 30.0


def test_a_candidate_says_where_it_is_from():
    search = Search((60.0,), {60.0: table()}, allowed=ALLOWED, seconds=SECONDS)
    assert [str(candidate) for candidate in search.round()] == [
        (
            "windows of 60 s, 120 s for a replica that is added, kept if due within 300 s, "
            "1.00 of the misses allowed"
        )
    ]
