"""From points to speeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.calibration.fit import CalibrationError, Speeds, bend, fit, medians
from serve_app.calibration.points import Decode, Prompt, Reading

LENGTHS = (32, 64, 128, 224)
SEQUENCES = (1, 2, 4, 8, 16)
Points = tuple[list[Prompt], list[Decode], list[Reading]]


def straight(step_s: float, per_seq_s: float) -> tuple[tuple[int, float], ...]:
    return tuple((number, step_s + (number - 1) * per_seq_s) for number in SEQUENCES)


def points(speeds: Speeds) -> Points:
    """What an engine of such speeds shows."""
    return (
        [Prompt(tokens, speeds.ttft_s(tokens)) for tokens in LENGTHS],
        [Decode(number, speeds.step_s(number)) for number in SEQUENCES],
        [Reading(tokens, speeds.reading_step_s(tokens)) for tokens in LENGTHS],
    )


@given(
    prefill=st.floats(100, 1e5),
    step_s=st.floats(1e-3, 0.5),
    share=st.floats(0, 0.5),
    overhead_s=st.floats(0, 0.1),
    bends_at=st.floats(40, 200),
)
def test_points_of_an_engine_give_its_speeds(
    prefill: float, step_s: float, share: float, overhead_s: float, bends_at: float
) -> None:
    """One whose prompts take their tokens' time from so many tokens on."""
    per_seq_s = share * step_s
    steps = straight(step_s, per_seq_s)
    known = Speeds(prefill, steps, overhead_s, step_s - per_seq_s, bends_at / prefill)
    found = fit(*points(known))
    assert found.prefill_tokens_per_s == pytest.approx(prefill, rel=1e-3)
    assert dict(found.decode_steps) == pytest.approx(dict(known.decode_steps))
    assert found.overhead_s == pytest.approx(overhead_s, rel=1e-3, abs=1e-6)
    assert found.read_step_s == pytest.approx(known.read_step_s, rel=1e-3, abs=1e-6)
    assert found.reading_s == pytest.approx(known.reading_s, rel=1e-3)


def test_steps_of_experts_that_are_used_more_and_more_need_not_be_a_line() -> None:
    """DeepSeek-V3's, ten of its layers on one H200."""
    steps = ((1, 0.0029), (2, 0.0035), (8, 0.0074), (32, 0.0142), (128, 0.0228))
    prompts, _, readings = points(Speeds(70_000.0, steps, 0.003, 0.002, 0.001))
    found = fit(prompts, [Decode(number, step_s) for number, step_s in steps], readings)
    assert found.decode_steps == steps
    assert found.step_s(20) == pytest.approx(0.0108)


@pytest.mark.parametrize(
    ("alone_s", "overhead_s", "read_step_s", "why"),
    [
        (0.030, 0.011, 0.019, "what is more than a step without sequences is not the engine's"),
        (0.004, 0.0, 0.004, "a step that only reads has less of a fixed cost"),
        (-0.002, 0.0, 0.0, "noise: nothing takes less than no time"),
    ],
)
def test_a_prompt_alone_is_a_step_first_and_overhead_beyond(
    alone_s: float, overhead_s: float, read_step_s: float, why: str
) -> None:
    prompts = [Prompt(tokens, alone_s + tokens / 10_000) for tokens in LENGTHS]
    decodes = [Decode(number, 0.02 + (number - 1) * 0.001) for number in SEQUENCES]
    readings = [Reading(tokens, 0.02 + tokens / 10_000) for tokens in LENGTHS]
    found = fit(prompts, decodes, readings)
    assert found.reading_s <= found.read_s(LENGTHS[0]) * 1.001, "no prompt was shorter"
    assert found.overhead_s == pytest.approx(overhead_s), why
    assert found.read_step_s == pytest.approx(read_step_s), why
    assert found.prefill_tokens_per_s == pytest.approx(10_000)


def test_a_moment_in_which_the_machine_did_something_else_does_not_count() -> None:
    speeds = Speeds(1000.0, straight(0.02, 0.001), 0.005, 0.019, 0.04)
    prompts, decodes, readings = points(speeds)
    found = fit(
        [*prompts, *prompts, Prompt(32, 3.0)],
        [*decodes, *decodes, Decode(1, 9.0)],
        [*readings, *readings, Reading(64, 2.0)],
    )
    assert found.decode_steps == fit(prompts, decodes, readings).decode_steps
    assert found.overhead_s == pytest.approx(0.005)
    assert found.prefill_tokens_per_s == pytest.approx(1000)


def test_steps_of_more_sequences_are_no_faster() -> None:
    prompts, _, readings = points(Speeds(1000.0, straight(0.02, 0.0), 0.0, 0.02, 0.0))
    steps = fit(prompts, [Decode(1, 0.02), Decode(8, 0.0199), Decode(9, 0.03)], readings)
    assert steps.decode_steps == ((1, 0.02), (8, 0.02), (9, 0.03))


PROMPTS = [Prompt(9, 0.1), Prompt(18, 0.2)]
DECODES = [Decode(1, 0.1), Decode(2, 0.1)]


@pytest.mark.parametrize(
    ("decodes", "readings", "said"),
    [
        (DECODES[:1], [], "decode steps of two numbers of sequences: there are 1"),
        ([Decode(1, 0.0), Decode(2, 0.1)], [], "decode steps took no time at all"),
        (DECODES, [Reading(9, 0.2)], "two steps that read are needed: there are 1"),
        (DECODES, [Reading(9, 0.2), Reading(18, 0.1)], "two steps that read are needed"),
        (DECODES, [Reading(9, 0.2), Reading(18, 0.2)], "ask for longer ones"),
    ],
)
def test_points_without_a_fit_say_so(
    decodes: list[Decode], readings: list[Reading], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        fit(PROMPTS, decodes, readings)


@given(level=st.floats(0.01, 1), slope=st.floats(1e-4, 1), more=st.integers(1, 5))
def test_a_bend_goes_through_exact_points(level: float, slope: float, more: int) -> None:
    ends = level / slope
    xs = [ends * part for part in (0.25, 0.5, *range(2, 2 + more))]
    found = bend([(x, max(level, slope * x)) for x in xs])
    assert found == pytest.approx((level, slope), rel=1e-6)


def test_a_bend_between_noisy_points_is_where_they_bend() -> None:
    noisy = [(256.0, 0.021), (512.0, 0.019), (1024.0, 0.0225), (1792.0, 0.041), (8192.0, 0.18)]
    level, slope = bend(noisy)
    assert level == pytest.approx(0.02, rel=0.05)
    assert 1 / slope == pytest.approx(45_000, rel=0.05)


def test_medians_keep_one_point_for_each_place() -> None:
    assert medians([(2, 5.0), (1, 1.0), (1, 9.0), (1, 2.0)]) == [(1, 2.0), (2, 5.0)]
