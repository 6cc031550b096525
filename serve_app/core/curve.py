"""Straight lines between points."""

from bisect import bisect_left
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]
Steps = tuple[tuple[int, float], ...]  # sequences or tokens, and how long they take in a step


def height(points: Points, x: float) -> float:
    """At `x`; beyond the first and the last two points their line goes on. `points` are in order of
    x, and one alone is a level.

    >>> height([(1, 2.0), (3, 6.0)], 2)
    4.0
    """
    if len(points) == 1:
        return points[0][1]
    right = min(len(points) - 1, max(1, bisect_left(points, x, key=lambda point: point[0])))
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
