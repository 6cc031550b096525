"""Straight lines between points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.curve import height

POINTS = ((1, 2.0), (3, 6.0), (7, 8.0))


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (1, 2.0, "a point"),
        (3, 6.0, "a point in the middle"),
        (2, 4.0, "half-way"),
        (5, 7.0, "half-way on the other side"),
        (0, 0.0, "before the first, as between the first two"),
        (11, 10.0, "beyond the last, as between the last two"),
    ],
)
def test_a_height_is_on_the_line_between_neighbours(x: float, y: float, why: str) -> None:
    assert height(POINTS, x) == pytest.approx(y), why


def test_one_point_is_a_level() -> None:
    assert {height(((4, 0.5),), x) for x in (0, 4, 100)} == {0.5}


@given(st.dictionaries(st.integers(1, 500), st.floats(0, 1e3), min_size=2), st.data())
def test_between_two_points_it_is_between_their_heights(
    points: dict[int, float], data: st.DataObject
) -> None:
    found = sorted(points.items())
    place = data.draw(st.integers(1, len(found) - 1))
    (x0, y0), (x1, y1) = found[place - 1], found[place]
    y = height(found, data.draw(st.floats(x0, x1)))
    assert min(y0, y1) - 1e-6 <= y <= max(y0, y1) + 1e-6
