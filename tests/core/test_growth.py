"""How fast it becomes more than a fleet carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.growth import Growth


def grown(running: list[float], carried: float = 100.0) -> float:
    growth = Growth(seconds=60.0)
    for second, sequences in enumerate(running):
        growth.add(sequences, carried, now=float(second))
    return growth.per_s


@pytest.mark.parametrize(
    ("running", "per_s"),
    [
        ([], 0.0),
        ([500.0], 0.0),
        ([0.0, 50.0, 100.0], 0.0),  # a fleet that fills up is not above what it carries
        ([100.0, 130.0, 160.0], 30.0),
        ([80.0, 130.0], 30.0),
        ([160.0, 130.0, 20.0], -30.0),  # and is no longer above it then
    ],
)
def test_what_is_above_counts_as_it_comes_and_goes(running: list[float], per_s: float) -> None:
    assert grown(running) == pytest.approx(per_s)


def test_what_grew_is_forgotten() -> None:
    growth = Growth(seconds=10.0)
    for second, sequences in enumerate([0, 200, *[200] * 10]):
        growth.add(float(sequences), 100.0, now=float(second))
    assert growth.per_s == 0
    assert repr(growth) == "<Growth by 0.0 sequences/s>"


def test_two_looks_at_once_are_no_growth_without_end() -> None:
    growth = Growth(seconds=10.0)
    for sequences in (100.0, 200.0, 300.0):
        growth.add(sequences, 100.0, now=5.0)
    assert growth.per_s == 0


@given(st.lists(st.floats(0, 1e4), min_size=1), st.floats(0, 1e4), st.floats(0, 1e4))
def test_more_at_the_last_look_is_more_growth(
    running: list[float], more: float, carried: float
) -> None:
    last = running[-1]
    before = grown(running, carried)
    assert grown([*running[:-1], last + more], carried) >= before - 1e-6
