"""The cheapest schedules that windows' misses allow."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.sim.scaling.oracle import Window
from serve_app.sim.scaling.schedules import Table

MOST = 4


def table(*rows):
    """A row is a window's misses with 1, 2 … replicas."""
    parts = [Window(60.0 * place, 60.0) for place in range(len(rows))]
    return Table(parts, [dict(enumerate(row, 1)) for row in rows])


def counts(found):
    return [n for _, n in found]


QUIET, BUSY, BUSIER = (0, 0, 0, 0), (90, 10, 0, 0), (90, 30, 0, 0)


@pytest.mark.parametrize(
    ("price_s", "allowed", "chosen", "why"),
    [
        (10.0, 0, [1, 3, 1, 3], "a replica that costs little is sent away"),
        (100.0, 0, [3, 3, 3, 3], "one that costs more than the gap is kept"),
        (10.0, 10, [1, 2, 1, 3], "misses are spent where the fewest save a replica"),
        (10.0, 40, [1, 2, 1, 2], "all of them, if they save any"),
        (10.0, 1000, [1, 1, 1, 1], "and what may miss needs no replica"),
    ],
)
def test_a_schedule_is_as_cheap_as_its_misses_allow(price_s, allowed, chosen, why):
    found = table(QUIET, BUSY, QUIET, BUSIER).schedule(price_s, allowed)
    assert counts(found) == chosen, why
    assert [at for at, _ in found] == [0.0, 60.0, 120.0, 180.0]


def test_where_no_schedule_is_good_enough_it_is_the_best():
    assert counts(table((90, 50, 7, 7)).schedule(10.0, 0)) == [3]


misses = st.lists(st.integers(0, 50), min_size=MOST, max_size=MOST).map(
    lambda row: sorted(row, reverse=True)
)


@given(st.lists(misses, min_size=1, max_size=4), st.floats(0, 200), st.floats(0.1, 100))
def test_no_schedule_is_cheaper_for_a_weight(rows, price_s, weight):
    found = table(*rows)

    def cost(chosen):
        added = sum(max(0, b - a) for a, b in pairwise(chosen))
        missed = sum(row[n - 1] for row, n in zip(rows, chosen, strict=True))
        return 60.0 * sum(chosen) + price_s * added + weight * missed

    least = min(map(cost, product(range(1, MOST + 1), repeat=len(rows))))
    assert cost(found.cheapest(price_s, weight)) == pytest.approx(least)
