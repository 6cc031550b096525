"""How much load, and when each request leaves."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.bench.ask import Ask, Message
from serve_app.bench.level import Level
from serve_app.bench.words import dice_of
from serve_app.checking.question import QuestionError


def asks(*times_s):
    return [Ask((Message("user", "hi"),), 1, 1, at_s) for at_s in times_s]


@given(st.integers(1, 50), st.floats(0.1, 1000), st.integers())
def test_a_rate_sends_all_requests_in_order_within_their_share_of_time(count, rate, seed):
    arrivals_s = Level("rate", rate).arrivals_s(asks(*range(count)), dice_of(seed))
    assert len(arrivals_s) == count
    assert arrivals_s == sorted(arrivals_s)
    assert 0 <= arrivals_s[0] <= arrivals_s[-1] <= count / rate


def test_gaps_at_a_rate_vary_as_those_of_independent_users_do():
    arrivals_s = Level("rate", 1.0).arrivals_s(asks(*range(5000)), dice_of(0))
    gaps_s = [after - before for before, after in pairwise(arrivals_s)]
    mean_s = sum(gaps_s) / len(gaps_s)
    variance = sum((gap_s - mean_s) ** 2 for gap_s in gaps_s) / len(gaps_s)
    assert variance**0.5 / mean_s == pytest.approx(1.0, abs=0.05)  # 0 would be a metronome


def test_a_trace_begins_at_once_and_its_clock_runs_faster():
    assert Level("speed-up", 4).arrivals_s(asks(10, 14, 30), dice_of(0)) == [0, 1, 5]


def test_levels_are_read_in_their_order_and_once_each():
    assert Level.parse("concurrency", "8,1,8") == (
        Level("concurrency", 8),
        Level("concurrency", 1),
    )


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("concurrency", "0", "nothing in flight asks nothing"),
        ("concurrency", "1.5", "half a request"),
        ("concurrency", "1,", "an empty level"),
        ("rate", "-2", "a rate below 0"),
        ("rate", "nan", "no number"),
        ("rate", "inf", "no number"),
        ("speed-up", "fast", "no number"),
    ],
)
def test_what_is_no_level_is_refused_with_its_option(kind, text, why):
    with pytest.raises(QuestionError) as refused:
        Level.parse(kind, text)
    assert f"--{kind}" in str(refused.value), why


@pytest.mark.parametrize(
    ("level", "requests", "warm_up"),
    [
        (Level("concurrency", 1), 16, 1),
        (Level("concurrency", 32), 128, 32),
        (Level("rate", 3), 64, 8),
        (Level("speed-up", 2), 64, 8),
    ],
)
def test_a_level_knows_how_many_requests_it_takes(level, requests, warm_up):
    assert (level.requests, level.warm_up) == (requests, warm_up)
