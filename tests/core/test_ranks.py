"""The numbers of the last few seconds, in their order."""

import math

from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.ranks import Ranks

ROWS = st.lists(st.tuples(st.floats(0.0, 5.0), st.sampled_from([0.1, 0.2, 0.2, 0.7, 3.0])))


@given(ROWS, st.floats(0.0, 20.0), st.floats(0.01, 1.0), st.sampled_from([0.1, 0.15, 0.7]))
def test_it_says_what_sorting_the_last_ten_seconds_says(
    rows: list[tuple[float, float]], later_s: float, share: float, limit: float
) -> None:
    ranks, now, came = Ranks(10.0), 0.0, []
    for after_s, value in rows:
        now += after_s
        ranks.add(value, now=now)
        came.append((now, value))

    now += later_s
    found = sorted(value for at, value in came if at > now - 10.0)
    assert ranks.count(now=now) == len(found)
    if found:
        assert ranks.quantile(share, now=now) == found[math.ceil(share * len(found)) - 1]
        above = sum(value > limit for value in found)
        assert ranks.above(limit, now=now) == above / len(found)
    else:
        assert ranks.quantile(share, now=now) == ranks.above(limit, now=now) == 0.0
