"""From points to speeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.calibration.fit import CalibrationError, Speeds, fit, medians
from serve_app.calibration.points import Decode, Prompt, Reading

LENGTHS = (32, 64, 128, 224)
CHUNK = 2048
SEQUENCES = (1, 2, 4, 8, 16)
Line = tuple[tuple[int, float], ...]
Points = tuple[list[Prompt], list[Decode], list[Reading]]


def straight(step_s: float, per_seq_s: float) -> Line:
    return tuple((number, step_s + (number - 1) * per_seq_s) for number in SEQUENCES)


def read(rate: float, least_s: float = 0.0) -> Line:
    """What reading takes: its tokens' time, and no less than so much."""
    return tuple((tokens, max(least_s, tokens / rate)) for tokens in (*LENGTHS, CHUNK))


def points(speeds: Speeds) -> Points:
    """What an engine of such speeds shows."""
    return (
        [Prompt(tokens, speeds.ttft_s(tokens)) for tokens in LENGTHS],
        [Decode(number, speeds.step_s(number)) for number in SEQUENCES],
        [
            *(Reading(tokens, speeds.reading_step_s(tokens, 1)) for tokens in LENGTHS),
            Reading(CHUNK, speeds.reading_step_s(CHUNK, 1), 0),
            Reading(128, speeds.reading_step_s(128, 16), 16),
        ],
    )


@given(
    prefill=st.floats(100, 1e5),
    step_s=st.floats(1e-3, 0.5),
    share=st.floats(0.02, 0.5),
    overhead_s=st.floats(0, 0.1),
    bends_at=st.floats(40, 200),
    beside=st.floats(0, 1),
)
def test_points_of_an_engine_give_its_speeds(
    prefill: float, step_s: float, share: float, overhead_s: float, bends_at: float, beside: float
) -> None:
    """One whose prompts take their tokens' time from so many tokens on."""
    per_seq_s = share * step_s
    known = Speeds(
        prefill,
        straight(step_s, per_seq_s),
        read(prefill, bends_at / prefill),
        beside,
        overhead_s,
        step_s - per_seq_s,
    )
    found = fit(*points(known))
    assert found.prefill_tokens_per_s == pytest.approx(prefill, rel=1e-6)
    assert dict(found.decode_steps) == pytest.approx(dict(known.decode_steps))
    assert dict(found.reading[1:]) == pytest.approx(dict(known.reading), abs=1e-9)
    assert found.beside == pytest.approx(beside, abs=1e-4)
    assert found.overhead_s == pytest.approx(overhead_s, rel=1e-3, abs=1e-6)
    assert found.read_step_s == pytest.approx(known.read_step_s, rel=1e-3, abs=1e-6)


def test_steps_of_experts_that_are_used_more_and_more_need_not_be_a_line() -> None:
    """DeepSeek-V3's, ten of its layers on one H200."""
    steps = ((1, 0.0029), (2, 0.0035), (8, 0.0074), (32, 0.0142), (128, 0.0228))
    prompts, _, readings = points(Speeds(70_000.0, steps, read(70_000.0)))
    found = fit(prompts, [Decode(number, step_s) for number, step_s in steps], readings)
    assert found.decode_steps == steps
    assert found.step_s(20) == pytest.approx(0.0108)


@pytest.mark.parametrize(
    ("shortest_s", "of_one_s", "why"),
    [
        (0.02, 0.02, "as the first two have it: nothing but launches"),
        (0.01, 0.0003, "nothing but its tokens"),
        (0.001, 0.0, "and never less than no time"),
    ],
)
def test_below_the_shortest_prompt_reading_goes_on_as_it_began(
    shortest_s: float, of_one_s: float, why: str
) -> None:
    readings = [Reading(32, 0.02 + shortest_s), Reading(64, 0.04), Reading(2048, 0.5)]
    found = fit([Prompt(32, 0.1)], [Decode(1, 0.02), Decode(2, 0.03)], readings)
    assert found.read_s(1) == pytest.approx(of_one_s, rel=0.1), why


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
    assert found.overhead_s == pytest.approx(overhead_s), why
    assert found.read_step_s == pytest.approx(read_step_s), why
    assert found.prefill_tokens_per_s == pytest.approx(10_000)


@pytest.mark.parametrize(
    ("step_s", "decoding", "beside", "why"),
    [
        (0.02 + 0.0128 + 0.015, 16, 1.0, "all that sixteen take longer than one"),
        (0.02 + 0.0128, 16, 0.0, "nothing of it"),
        (0.02 + 0.0100, 16, 0.0, "less than beside one is noise"),
        (0.02 + 0.0128 + 0.020, 16, 1.0, "and so is more than all of it"),
        (0.02 + 0.0128, 2, 1.0, "two take hardly longer than one: that says nothing"),
    ],
)
def test_what_many_take_beside_reading_is_a_share(
    step_s: float, decoding: int, beside: float, why: str
) -> None:
    readings = [Reading(tokens, 0.02 + tokens / 10_000) for tokens in LENGTHS]
    decodes = [Decode(number, 0.02 + (number - 1) * 0.001) for number in SEQUENCES]
    found = fit([Prompt(32, 0.1)], decodes, [*readings, Reading(128, step_s, decoding)])
    assert found.beside == pytest.approx(beside), why


def test_a_moment_in_which_the_machine_did_something_else_does_not_count() -> None:
    speeds = Speeds(1000.0, straight(0.02, 0.001), read(1000.0, 0.04), 1.0, 0.005, 0.019)
    prompts, decodes, readings = points(speeds)
    found = fit(
        [*prompts, *prompts, Prompt(32, 3.0)],
        [*decodes, *decodes, Decode(1, 9.0)],
        [*readings, *readings, Reading(64, 2.0)],
    )
    assert found == fit(prompts, decodes, readings)


def test_steps_of_more_sequences_are_no_faster() -> None:
    prompts, _, readings = points(Speeds(1000.0, straight(0.02, 0.0), read(1000.0)))
    steps = fit(prompts, [Decode(1, 0.02), Decode(8, 0.0199), Decode(9, 0.03)], readings)
    assert steps.decode_steps == ((1, 0.02), (8, 0.02), (9, 0.03))


PROMPTS = [Prompt(9, 0.1), Prompt(18, 0.2)]
DECODES = [Decode(1, 0.1), Decode(2, 0.1)]


@pytest.mark.parametrize(
    ("decodes", "readings", "said"),
    [
        (DECODES[:1], [], "decode steps of two numbers of sequences: there are 1"),
        ([Decode(1, 0.0), Decode(2, 0.1)], [], "decode steps took no time at all"),
        (DECODES, [Reading(9, 0.2)], "read two lengths are needed: there are 1"),
        (DECODES, [Reading(9, 0.1), Reading(18, 0.2)], "read two lengths are needed: there are 1"),
        (DECODES, [Reading(9, 0.2), Reading(18, 0.2)], "ask for longer ones"),
    ],
)
def test_points_without_a_fit_say_so(
    decodes: list[Decode], readings: list[Reading], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        fit(PROMPTS, decodes, readings)


def test_medians_keep_one_point_for_each_place() -> None:
    assert medians([(20, 5.0), (10, 1.0), (10, 9.0), (10, 2.0)]) == [(10, 2.0), (20, 5.0)]


def test_lengths_that_differ_by_a_token_or_two_are_one() -> None:
    assert medians([(1024, 3.0), (1025, 1.0), (1023, 2.0), (1792, 4.0)]) == [
        (1024, 2.0),
        (1792, 4.0),
    ]
