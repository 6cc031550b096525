"""How long steps took that read prompts, as somebody sees it who decodes meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from serve_app.bench.answer import Answer
from serve_app.calibration.points import Reading


@dataclass(frozen=True, slots=True)
class Timed:
    """An answer, and when it was asked for."""

    sent_at_s: float
    answer: Answer

    @property
    def first_at_s(self) -> float:
        return self.sent_at_s + self.answer.ttft_s

    @property
    def pauses(self) -> Iterator[tuple[float, float]]:
        """From one chunk to the next."""
        return pairwise(accumulate(self.answer.itls_s, initial=self.first_at_s))

    @property
    def last_at_s(self) -> float:
        return self.first_at_s + sum(self.answer.itls_s)


def readings(
    decoding: Sequence[Timed], prompts: Sequence[Timed], *, step_s: float
) -> list[Reading]:
    """The pauses at whose ends `prompts`, sent one after the other, had their first tokens.

    `step_s` is a step without a prompt; a chunk of several tokens has some of these, too. What was
    read before all were decoding, or after the first of them had ended, is left out.
    """
    if not all(each.answer.itls_s for each in decoding):
        return []
    all_began_at_s = max(each.first_at_s for each in decoding)
    witness = min(decoding, key=lambda each: each.last_at_s)
    chunk_s = step_s * (witness.answer.output_tokens - 1) / len(witness.answer.itls_s)
    pauses = list(witness.pauses)
    found = []
    for prompt in prompts:
        at_s = prompt.first_at_s
        near_s = [until - since for since, until in pauses if abs(until - at_s) <= chunk_s]
        if near_s and prompt.sent_at_s > all_began_at_s:
            took_s = max(near_s) - (chunk_s - step_s)
            found.append(Reading(prompt.answer.input_tokens, took_s, len(decoding)))
    return found
