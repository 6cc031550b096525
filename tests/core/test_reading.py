"""Steps that read prompts while sequences decode."""

import pytest

from serve_app.core.reading import reading_step_s

DECODES = ((1, 0.02), (5, 0.03))


@pytest.mark.parametrize(
    ("sequences", "beside", "step_s", "why"),
    [
        (1, 1.0, 0.12, "a step of one in addition, whatever `beside` says"),
        (1, 0.0, 0.12, "whatever it says"),
        (5, 1.0, 0.13, "of five all of it"),
        (3, 0.5, 0.1225, "of three a half"),
        (5, 0.0, 0.12, "nothing more: their kernels run while others are launched"),
    ],
)
def test_a_step_that_reads_has_a_share_of_what_many_take_longer(
    sequences: int, beside: float, step_s: float, why: str
) -> None:
    found = reading_step_s(0.1, sequences, steps=DECODES, beside=beside)
    assert found == pytest.approx(step_s), why
