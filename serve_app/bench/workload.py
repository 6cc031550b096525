"""Made-up work: what is asked, request by request. Real arrivals and lengths are in `trace`.

* `random` shares nothing between requests: every prompt is computed.
* `shared-prefix` begins with one of a few long prefixes, as documents and tools make them.
* `chat` is conversations: each request repeats all turns before it, under one system prompt.
"""

import random
import sys
from dataclasses import dataclass
from typing import Protocol

from serve_app.bench.ask import Ask, Message
from serve_app.bench.words import Words


class Workload(Protocol):
    """A source of requests."""

    @property
    def size(self) -> int:
        """How many requests it has."""
        ...

    @property
    def longest_tokens(self) -> int:
        """The longest request, prompt and answer together."""
        ...

    def asks(self, count: int, dice: random.Random) -> list[Ask]:
        """The first `count` requests; equal dice give equal requests."""
        ...


@dataclass(frozen=True)
class Random:
    """Prompts that share nothing."""

    words: Words
    input_tokens: int = 256
    output_tokens: int = 64
    size: int = sys.maxsize

    @property
    def longest_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def asks(self, count: int, dice: random.Random) -> list[Ask]:
        return [self._ask(self.words.text(self.input_tokens, dice)) for _ in range(count)]

    def _ask(self, text: str) -> Ask:
        return Ask((Message("user", text),), self.input_tokens, self.output_tokens)

    def __str__(self) -> str:
        return f"random: {self.input_tokens} tokens in, {self.output_tokens} out"


@dataclass(frozen=True)
class SharedPrefix:
    """Prompts that begin with one of `prefixes` texts, taken in turn."""

    words: Words
    prefix_tokens: int = 512
    input_tokens: int = 256
    output_tokens: int = 64
    prefixes: int = 8
    size: int = sys.maxsize

    @property
    def longest_tokens(self) -> int:
        return self.prefix_tokens + self.input_tokens + self.output_tokens

    def asks(self, count: int, dice: random.Random) -> list[Ask]:
        heads = [self.words.text(self.prefix_tokens, dice) for _ in range(self.prefixes)]
        return [self._ask(heads[index % self.prefixes], dice) for index in range(count)]

    def _ask(self, head: str, dice: random.Random) -> Ask:
        text = f"{head} {self.words.text(self.input_tokens, dice)}"
        tokens = self.prefix_tokens + self.input_tokens
        return Ask((Message("user", text),), tokens, self.output_tokens)

    def __str__(self) -> str:
        return (
            f"shared-prefix: one of {self.prefixes} prefixes of {self.prefix_tokens} tokens, then "
            f"{self.input_tokens} tokens of its own, {self.output_tokens} out"
        )


@dataclass(frozen=True)
class Chat:
    """Conversations of `turns` turns, all at the same turn: first all first turns, and so on.

    What the assistant has said in earlier turns is made up too, so that every target
    continues the same conversations.
    """

    words: Words
    prefix_tokens: int = 64
    input_tokens: int = 256
    output_tokens: int = 64
    turns: int = 4
    size: int = sys.maxsize

    @property
    def longest_tokens(self) -> int:
        return self.prefix_tokens + self.turns * (self.input_tokens + self.output_tokens)

    def asks(self, count: int, dice: random.Random) -> list[Ask]:
        system = Message("system", self.words.text(self.prefix_tokens, dice))
        people = -(-count // self.turns)
        talks = [self._talk(system, dice) for _ in range(people)]
        return [talks[index % people][index // people] for index in range(count)]

    def _talk(self, system: Message, dice: random.Random) -> list[Ask]:
        asks: list[Ask] = []
        messages: tuple[Message, ...] = (system,)
        tokens = self.prefix_tokens
        for _ in range(self.turns):
            messages += (Message("user", self.words.text(self.input_tokens, dice)),)
            tokens += self.input_tokens
            asks.append(Ask(messages, tokens, self.output_tokens))
            messages += (Message("assistant", self.words.text(self.output_tokens, dice)),)
            tokens += self.output_tokens
        return asks

    def __str__(self) -> str:
        return (
            f"chat: {self.turns} turns of {self.input_tokens} tokens in and {self.output_tokens} "
            f"out, under a system prompt of {self.prefix_tokens}"
        )
