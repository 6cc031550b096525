"""From points to speeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.calibration.fit import CalibrationError, Speeds, fit, line, medians
from serve_app.calibration.points import Decode, Prompt

LENGTHS = (32, 64, 128, 224)
SEQUENCES = (1, 2, 4, 8, 16)


def points(speeds: Speeds) -> tuple[list[Prompt], list[Decode]]:
    """What an engine of such speeds shows."""
    prompts = [Prompt(tokens, speeds.ttft_s(tokens)) for tokens in LENGTHS]
    return prompts, [Decode(number, speeds.step_s(number)) for number in SEQUENCES]


@given(
    prefill=st.floats(100, 1e5),
    step_s=st.floats(1e-3, 0.5),
    share=st.floats(0, 0.5),
    overhead_s=st.floats(0, 0.1),
)
def test_points_of_an_engine_give_its_speeds(
    prefill: float, step_s: float, share: float, overhead_s: float
) -> None:
    """One in which a step that reads has as much of a fixed cost as one that decodes."""
    per_seq_s = share * step_s
    speeds = Speeds(prefill, step_s, per_seq_s, overhead_s, step_s - per_seq_s)
    found = fit(*points(speeds))
    assert found.prefill_tokens_per_s == pytest.approx(prefill, rel=1e-3)
    assert found.decode_step_s == pytest.approx(step_s, rel=1e-6)
    assert found.decode_step_per_seq_s == pytest.approx(per_seq_s, rel=1e-6, abs=1e-9)
    assert found.overhead_s == pytest.approx(overhead_s, rel=1e-3, abs=1e-6)
    assert found.read_step_s == pytest.approx(step_s - per_seq_s, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    ("intercept_s", "overhead_s", "read_step_s", "why"),
    [
        (0.03, 0.011, 0.019, "what is more than a step is not the engine's"),
        (0.004, 0.0, 0.004, "an engine whose prefill has less of a fixed cost than its decode"),
        (-0.002, 0.0, 0.0, "noise: nothing takes less than no time"),
    ],
)
def test_an_intercept_is_a_step_first_and_overhead_beyond(
    intercept_s: float, overhead_s: float, read_step_s: float, why: str
) -> None:
    prompts = [Prompt(tokens, intercept_s + tokens / 10_000) for tokens in LENGTHS]
    decodes = [Decode(number, 0.02 + (number - 1) * 0.001) for number in SEQUENCES]
    found = fit(prompts, decodes)
    assert found.overhead_s == pytest.approx(overhead_s), why
    assert found.read_step_s == pytest.approx(read_step_s), why
    assert found.prefill_tokens_per_s == pytest.approx(10_000)


def test_a_moment_in_which_the_machine_did_something_else_does_not_count() -> None:
    speeds = Speeds(1000.0, 0.02, 0.001, 0.005, 0.019)
    prompts, decodes = points(speeds)
    disturbed = [Prompt(32, 3.0), Prompt(32, prompts[0].ttft_s)]
    assert fit([*prompts, *disturbed], [*decodes, *decodes, Decode(1, 9.0)]) == fit(
        prompts, decodes
    )


def test_steps_that_more_sequences_make_no_slower_cost_nothing_a_sequence() -> None:
    prompts, _ = points(Speeds(1000.0, 0.02, 0.0, 0.0, 0.02))
    assert fit(prompts, [Decode(1, 0.02), Decode(8, 0.0199)]).decode_step_per_seq_s == 0.0


@pytest.mark.parametrize(
    ("prompts", "decodes", "said"),
    [
        ([Prompt(9, 0.1)], [], "a line through prompts takes two of them: there are 1"),
        ([Prompt(9, 0.1), Prompt(18, 0.1)], [], "ask for longer ones"),
        ([Prompt(9, 0.1), Prompt(18, 0.2)], [Decode(2, 0.1)], "a line through decode steps"),
        ([Prompt(9, 0.0), Prompt(18, 0.2)], [], "prompts took no time at all"),
    ],
)
def test_points_without_a_line_say_so(
    prompts: list[Prompt], decodes: list[Decode], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        fit(prompts, decodes)


@given(st.floats(-1e3, 1e3), st.floats(0.1, 1e3), st.lists(st.floats(1, 1e3), min_size=2))
def test_a_line_goes_through_exact_points(
    intercept: float, slope: float, places: list[float]
) -> None:
    xs = sorted({round(x) for x in places} | {2000, 3000})
    exact = [(x, intercept + slope * x + 1e4) for x in xs]
    found = line(exact, "points")
    assert found == pytest.approx((intercept + 1e4, slope), rel=1e-6)


def test_medians_keep_one_point_for_each_place() -> None:
    assert medians([(2, 5.0), (1, 1.0), (1, 9.0), (1, 2.0)]) == [(1, 2.0), (2, 5.0)]
