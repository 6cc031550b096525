"""How long steps took that read prompts, as somebody sees it who decodes meanwhile."""

from collections import defaultdict
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


def readings(decoding: Timed, prompts: Sequence[Timed], *, step_s: float) -> list[Reading]:
    """The pauses of `decoding` at whose ends `prompts` had their first tokens, and what was read in
    each. `step_s` is a step without a prompt; a chunk of several tokens has some of these, too.
    What was read before it had begun, or after it had ended, is left out."""
    if not decoding.answer.itls_s:
        return []
    chunk_s = step_s * (decoding.answer.output_tokens - 1) / len(decoding.answer.itls_s)
    pauses = list(decoding.pauses)
    tokens: defaultdict[tuple[float, float], int] = defaultdict(int)
    for prompt in prompts:
        first_at_s = prompt.first_at_s
        near = [pause for pause in pauses if abs(pause[1] - first_at_s) <= chunk_s]
        if near and prompt.sent_at_s > decoding.first_at_s:
            longest = max(near, key=lambda pause: pause[1] - pause[0])
            tokens[longest] += prompt.answer.input_tokens
    without_s = chunk_s - step_s
    return [Reading(read, until - since - without_s) for (since, until), read in tokens.items()]
