"""What the core knows of a request: who is next, for how long it may wait, what it weighs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """A screened request that asks to run. Times are seconds of the caller's clock."""

    id: str
    arrived_at: float
    deadline_at: float
    sequences: int = 1  # choices × prompts; each holds a slot
    prompt_tokens: int = 0  # estimated
    output_tokens: int = 0  # asked for, or expected

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.sequences * self.output_tokens
