"""What came back: one request's answer, and all answers of one measurement.

The times are those of vLLM's client: TTFT from the request to the first chunk, ITL
between chunks, E2E to the last chunk that carried a token. TPOT is per token,
(E2E - TTFT) / (output tokens - 1). Where a server packs several tokens into a chunk, ITL
is the gap between packs and TPOT the time of a token.
"""

from dataclasses import dataclass

from serve_app.bench.level import Level


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as the client saw it; `error` is "kind: message", empty when it went well."""

    ttft_s: float = 0.0
    itls_s: tuple[float, ...] = ()
    e2e_s: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    asked_tokens: int = 0
    error: str = ""

    @property
    def tpot_s(self) -> float | None:
        """Mean time of a token after the first; None when there was none."""
        if self.output_tokens < 2:
            return None
        return (self.e2e_s - self.ttft_s) / (self.output_tokens - 1)

    @property
    def error_kind(self) -> str:
        """What errors are counted by, such as `429 queue_full`."""
        return self.error.partition(": ")[0]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One target under one load, once. `cpu_share` is the client's own: 1.0 is a whole core."""

    target: str
    level: Level
    round: int
    duration_s: float
    cpu_share: float
    answers: tuple[Answer, ...]

    @property
    def completed(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if not answer.error)
