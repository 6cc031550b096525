"""What the core knows of a request: whose it is, for how long it may wait, what it weighs."""

from dataclasses import dataclass
from typing import NamedTuple

from serve_app.core.tenant import ANONYMOUS, Priority


class Request(NamedTuple):
    """A screened request that asks to run. Times are seconds of the caller's clock."""

    id: str
    arrived_at: float
    deadline_at: float
    sequences: int = 1  # choices × prompts; each holds a slot
    prompt_tokens: int = 0  # estimated, of all prompts together
    output_tokens: int = 0  # expected, of each sequence
    tenant: str = ANONYMOUS
    weight: float = 1.0  # the tenant's, against others of its priority
    priority: Priority = Priority.NORMAL
    cached_tokens: int = 0  # of the prompt, expected to be in the prefix cache
    streams: bool = False  # so that its first token is heard when there is one

    @property
    def tokens(self) -> int:
        """What it is expected to need of a KV cache when it is done."""
        return self.prompt_tokens + self.sequences * self.output_tokens


@dataclass(frozen=True, slots=True)
class Costs:
    """What tokens weigh against each other when tenants are compared."""

    input: float = 1.0
    cached: float = 0.1
    output: float = 4.0

    def of(self, *, uncached: float, cached: float, output: float) -> float:
        return self.input * uncached + self.cached * cached + self.output * output

    def of_request(self, request: Request, output_tokens: int) -> float:
        """With so much output of all its sequences together."""
        uncached = request.prompt_tokens - request.cached_tokens
        return self.of(uncached=uncached, cached=request.cached_tokens, output=output_tokens)

    def expected(self, request: Request) -> float:
        """Before it ran."""
        return self.of_request(request, request.sequences * request.output_tokens)
