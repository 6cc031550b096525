"""How many sequences may share a replica before too many answers are late."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.late import LateShare
from serve_app.core.report import ReplicaLoad


def report(running: int, late: float, answers_per_s: float = 2.0) -> ReplicaLoad:
    return ReplicaLoad(running, 100, 0.0, late=late, answers_per_s=answers_per_s)


def learned(running: int, late: float, seconds: int = 3600, full: float = math.inf) -> LateShare:
    share = LateShare(0.03)
    for _ in range(seconds):
        share.learn([report(running, late)] * 2, full=full, seconds=1.0)
    return share


def test_while_nothing_is_known_the_guess_is_believed() -> None:
    assert LateShare(0.03).sequences(40.0) == pytest.approx(40.0)
    assert repr(LateShare(0.03)) == "<LateShare of 0.03, 0.0 were late>"


def test_the_number_at_which_so_many_are_late_is_found() -> None:
    """Where 6 % are late with 40 sequences, 3 % are with 31.7."""
    assert learned(40, 0.06).sequences(40.0) == pytest.approx(31.7, rel=0.1)
    assert learned(40, 0.06).sequences(25.0) == pytest.approx(31.7, rel=0.1)


def test_that_none_is_late_lets_more_in_than_was_guessed() -> None:
    assert learned(40, 0.0).sequences(20.0) > 40.0


def test_an_overloaded_replica_tells_nothing() -> None:
    assert learned(40, 0.5).sequences(25.0) == pytest.approx(25.0)


def test_what_is_above_full_counts_as_full_and_still_lets_more_in() -> None:
    """Nobody is late yet on a replica that just filled up; how many it carries is not known."""
    assert learned(90, 0.0, full=30.0).sequences(30.0) == learned(30, 0.0).sequences(30.0)
    assert learned(90, 0.0, full=30.0).sequences(30.0) > 30.0


@given(st.floats(1.0, 200.0), st.integers(1, 100), st.floats(0.0, 0.05), st.floats(0.0, 0.05))
def test_more_that_are_late_never_let_more_in(
    guess: float, running: int, late: float, more: float
) -> None:
    few, many = learned(running, late, 60), learned(running, late + more, 60)
    assert many.sequences(guess) <= few.sequences(guess) * (1 + 1e-9)
