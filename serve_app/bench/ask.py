"""One request of a workload: what is said, how long the answer is, and when it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Ask:
    """`input_tokens` counts the words of all messages; a chat template adds its own."""

    messages: tuple[Message, ...]
    input_tokens: int
    output_tokens: int
    at_s: float = 0.0

    def marked(self, words: Sequence[str]) -> "Ask":
        """The same request with other first words, and so without the other's cached prefix."""
        first, *others = self.messages
        own = first.content.split(" ")
        content = " ".join([*words[: len(own)], *own[len(words) :]])
        return replace(self, messages=(first._replace(content=content), *others))

    @property
    def text(self) -> str:
        """All that is said, for an endpoint without roles."""
        return " ".join(message.content for message in self.messages)
