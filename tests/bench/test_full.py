"""Full steps, from the first tokens of many prompts that were sent together."""

import pytest

from serve_app.bench.answer import Answer
from serve_app.bench.calibration.beside import Timed
from serve_app.bench.calibration.full import full_steps


def crowd(*steps: tuple[float, int], tokens: int = 100) -> list[Timed]:
    """So many prompts end in a step at a time; they are heard of a millisecond apart."""
    return [
        Timed(10.0, Answer(ttft_s=at_s + 0.001 * number, input_tokens=tokens, output_tokens=1))
        for at_s, many in steps
        for number in range(many)
    ]


@pytest.mark.parametrize(
    ("steps", "took_s", "why"),
    [
        ([(0.2, 1), (0.4, 8), (0.6, 8), (0.8, 8)], 0.2, "eight prompts, again and again"),
        ([(0.2, 1), (0.4, 8), (0.6, 7), (0.8, 9)], 0.2, "one began in one and ended in the next"),
        ([(0.2, 1), (0.4, 8), (0.43, 1)], 0.2, "one that is nearly empty takes less, and is none"),
        ([(0.2, 1), (0.4, 8), (0.8, 8)], 0.3, "of two their mean"),
        ([(0.2, 8)], None, "when the first began is not known"),
        ([(0.2, 1), (0.3, 2), (0.4, 3)], None, "none was half full"),
    ],
)
def test_a_full_step_is_from_the_first_tokens_of_one_to_those_of_the_next(steps, took_s, why):
    found = full_steps(crowd(*steps), chunk_tokens=800)
    expected = [] if took_s is None else [(800, pytest.approx(took_s, rel=0.05), 0)]
    assert [(read.tokens, read.step_s, read.decoding) for read in found] == expected, why
