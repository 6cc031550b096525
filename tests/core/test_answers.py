"""How late the answers of an engine were."""

from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.answers import WINDOW_S, Answers


def test_of_answers_that_did_not_end_nothing_is_known() -> None:
    answers = Answers()
    assert (answers.per_s(now=9.0), answers.slow_s(now=9.0), answers.late(1.0, now=9.0)) == (
        0,
        0,
        0,
    )
    assert repr(answers) == "<Answers <Ranks of 30 s, 0 numbers>>"


def test_one_of_twenty_is_slower_than_slow() -> None:
    answers = Answers()
    for number in range(100):
        answers.ended(0.01 if number % 20 else 0.5, now=number / 10)

    assert answers.slow_s(now=10.0) == 0.01
    answers.ended(0.5, now=10.0)
    assert answers.slow_s(now=10.0) == 0.5


def test_what_ended_long_ago_is_forgotten() -> None:
    answers = Answers()
    answers.ended(0.05, now=0.0)
    answers.ended(0.01, now=20.0)
    assert answers.per_s(now=25.0) == 2 / WINDOW_S
    assert answers.slow_s(now=25.0) == 0.05
    assert answers.slow_s(now=31.0) == 0.01
    assert answers.late(0.01, now=60.0) == 0.0


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=200), st.floats(0.0, 1.1))
def test_the_late_are_those_above_the_limit(tpots_s: list[float], limit_s: float) -> None:
    answers = Answers()
    for tpot_s in tpots_s:
        answers.ended(tpot_s, now=1.0)

    late = answers.late(limit_s, now=1.0)
    assert round(late * len(tpots_s)) == sum(tpot_s > limit_s for tpot_s in tpots_s)
