"""Steps that read prompts, as somebody sees them who was decoding."""

import pytest

from serve_app.bench.answer import Answer
from serve_app.bench.calibration.beside import Timed, readings

STEP_S = 0.02


def decoding(*itls_s: float, tokens_per_chunk: int = 1) -> Timed:
    """First token at 10.1."""
    tokens = 1 + tokens_per_chunk * len(itls_s)
    return Timed(10.0, Answer(ttft_s=0.1, itls_s=itls_s, output_tokens=tokens))


def prompt(first_at_s: float, tokens: int = 100, sent_at_s: float = 10.11) -> Timed:
    answer = Answer(ttft_s=first_at_s - sent_at_s, input_tokens=tokens, output_tokens=1)
    return Timed(sent_at_s, answer)


@pytest.mark.parametrize(
    ("itls_s", "first_at_s", "found_s", "why"),
    [
        ([0.02, 0.02, 0.15, 0.02], 10.29, 0.15, "the pause that it made"),
        ([0.02, 0.3, 0.02, 0.15, 0.02], 10.59, 0.15, "and not that of somebody before"),
        ([0.02, 0.15, 0.02, 0.3, 0.02], 10.27, 0.15, "nor after"),
        ([0.02, 0.15, 0.02], 10.256, 0.15, "its own token came a little earlier"),
        ([0.02, 0.15, 0.02], 10.286, 0.15, "or later"),
        ([0.02, 0.02], 10.2, None, "read when nobody did any more"),
    ],
)
def test_a_step_that_reads_is_the_pause_that_ends_with_the_first_token(
    itls_s, first_at_s, found_s, why
):
    found = readings([decoding(*itls_s)], [prompt(first_at_s)], step_s=STEP_S)
    expected = [] if found_s is None else [(100, pytest.approx(found_s))]
    assert [(read.tokens, read.step_s) for read in found] == expected, why


def test_a_prompt_that_was_sent_before_anybody_decoded_says_nothing():
    early = prompt(10.27, sent_at_s=10.09)
    assert readings([decoding(0.02, 0.15, 0.02)], [early], step_s=STEP_S) == []


def test_an_answer_of_one_token_saw_nothing():
    assert readings([decoding()], [prompt(10.2)], step_s=STEP_S) == []


def test_beside_many_a_step_counts_once_all_of_them_decode_and_until_one_has_ended():
    first = Timed(9.0, Answer(ttft_s=0.1, itls_s=(0.02, 1.0, 0.02, 0.3, 0.02), output_tokens=6))
    last = Timed(9.0, Answer(ttft_s=1.12, itls_s=(0.02, 0.3, *[0.02] * 50), output_tokens=53))
    prompts = [prompt(10.44, sent_at_s=10.2), prompt(10.1, sent_at_s=10.0), prompt(10.8)]
    [found] = readings([last, first], prompts, step_s=STEP_S)
    assert (found.tokens, found.step_s, found.decoding) == (100, pytest.approx(0.3), 2)


def test_a_chunk_of_several_tokens_has_steps_without_a_prompt_too():
    several = decoding(0.08, 0.21, 0.08, tokens_per_chunk=4)
    [found] = readings([several], [prompt(10.35)], step_s=STEP_S)
    assert found.step_s == pytest.approx(0.21 - 3 * STEP_S)
