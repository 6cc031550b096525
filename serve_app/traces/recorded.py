"""One request, as a trace tells of it."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

BLOCK_TOKENS = 512


class Recorded(NamedTuple):
    """A request: when, how long, and for whom. `blocks` name the prompt's beginning, one for
    each `BLOCK_TOKENS`; equal names are equal text up to there."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    tenant: str = "anonymous"

    @property
    def tokens(self) -> int:
        """Prompt and answer together."""
        return self.input_tokens + self.output_tokens


class Trace(Protocol):
    """Requests in the order of their arrival, as often as they are asked for."""

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float:
        """From its beginning to its end."""

    def between(self, from_s: float, until_s: float) -> Iterator[Recorded]:
        """The requests of this part, the same as in the whole; times are the trace's own."""
