"""A trace as arrivals at a gateway."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from serve_app.core.tenant import Priority
from serve_app.sim.traffic import Arrival
from serve_app.traces.part import Part
from serve_app.traces.recorded import BLOCK_TOKENS, Recorded


@dataclass(frozen=True)
class Traffic:
    """The arrivals of a trace, the same each time. What does not fit into `max_model_len` loses
    the end of its prompt, then of its answer, and keeps a token of each.

    Prefix blocks stay those of the trace, of 512 tokens, which is what a replica of the replay
    counts in; of a prompt's last block, which is not whole, nothing is shared.
    """

    part: Part
    max_model_len: int | None = None

    def __iter__(self) -> Iterator[Arrival]:
        return self.between(0.0, math.inf)

    def between(self, from_s: float, until_s: float) -> Iterator[Arrival]:
        """A part of them, at the same times."""
        longest = self.max_model_len or math.inf
        for request in self.part.between(from_s, until_s):
            at_s, prompt, answer, blocks, tenant = request
            if prompt + answer > longest or not prompt or not answer:
                prompt, answer = self._cut(request)
            whole = blocks[: prompt // BLOCK_TOKENS] if blocks else blocks
            yield Arrival(at_s, tenant, prompt, answer, None, 1.0, Priority.NORMAL, whole)

    @property
    def seconds(self) -> float:
        return self.part.seconds

    def clipped(self) -> int:
        """How many requests are too long; reads all of them."""
        longest = self.max_model_len
        return sum(request.tokens > longest for request in self.part) if longest else 0

    def _cut(self, request: Recorded) -> tuple[int, int]:
        prompt, answer = max(1, request.input_tokens), max(1, request.output_tokens)
        if self.max_model_len and prompt + answer > self.max_model_len:
            prompt = max(1, self.max_model_len - answer)
            answer = min(answer, self.max_model_len - 1)
        return prompt, answer
