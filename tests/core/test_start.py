"""The phases of a start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.start import PHASES, Mark, seconds, words

MARKS = st.lists(st.builds(Mark, st.floats(0, 1e6), st.sampled_from(list(PHASES))), min_size=1)


@pytest.mark.parametrize(
    ("marks", "took"),
    [
        pytest.param([], {}, id="nothing has begun"),
        pytest.param([Mark(1, "process")], {"process": 9}, id="what has begun goes on"),
        pytest.param(
            [Mark(4, "weights"), Mark(1, "process")],
            {"process": 3, "weights": 6},
            id="marks of other processes come in any order",
        ),
        pytest.param(
            [Mark(1, "process"), Mark(2, "memory"), Mark(3, "compile"), Mark(7, "memory")],
            {"process": 1, "compile": 4, "memory": 4},
            id="a phase that was interrupted adds up",
        ),
    ],
)
def test_a_phase_lasts_until_the_next_one_begins(marks: list[Mark], took: dict[str, float]) -> None:
    assert seconds(marks, until=10) == took


@given(MARKS)
def test_all_phases_together_are_the_whole_time(marks: list[Mark]) -> None:
    taken = seconds(marks, until=2e6)
    assert sum(taken.values()) == pytest.approx(2e6 - min(marks).at)
    assert list(taken) == [phase for phase in PHASES if phase in taken]
    assert all(time >= 0 for time in taken.values())


def test_words_are_for_a_log_line() -> None:
    assert words({"process": 1.26, "weights": 300.0}) == "process 1.3 s, weights 300.0 s"
