"""What was measured: prompts alone and beside somebody, decode steps, and whole loads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """The first token of a prompt that had the engine for itself."""

    tokens: int
    ttft_s: float


@dataclass(frozen=True, slots=True)
class Decode:
    """A step in which so many sequences got a token each, and no prompt was read."""

    sequences: int
    step_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A step that read so many tokens of prompts, while `decoding` sequences got one each; 0 is a
    step between others that only read."""

    tokens: int
    step_s: float
    decoding: int = 1


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of a load, with its answer; `at_s` counts from the start of its load."""

    at_s: float
    prompt_tokens: int
    output_tokens: int
    ttft_s: float
    tpot_s: float

    @property
    def ended_at_s(self) -> float:
        return self.at_s + self.ttft_s + self.tpot_s * max(0, self.output_tokens - 1)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests at times of their own. `share` is of what the endpoint can do; 0 is all at once."""

    share: float
    requests: tuple[Sent, ...]

    def __str__(self) -> str:
        return f"{self.share:.0%} of capacity" if self.share else "all at once"
