"""Recorded traffic: arrivals, lengths and shared prefixes of a file, with made-up words.

What formats there are, `serve_app.traces` says. Equal blocks of a prompt become equal
text, so that a prefix cache hits as it would have.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

from serve_app.bench.ask import Ask, Message
from serve_app.bench.errors import BenchError
from serve_app.bench.words import Words, dice_of
from serve_app.traces import files
from serve_app.traces.errors import TraceError
from serve_app.traces.recorded import BLOCK_TOKENS, Recorded


@dataclass(frozen=True)
class Trace:
    """A file's requests in the order of their arrival."""

    name: str
    arrivals: tuple[Recorded, ...]
    words: Words

    @property
    def size(self) -> int:
        return len(self.arrivals)

    @property
    def longest_tokens(self) -> int:
        return max(arrival.tokens for arrival in self.arrivals)

    def fitting(self, max_tokens: int) -> "Trace":
        """Without the requests that are longer; raises `BenchError` when none is left."""
        short = tuple(arrival for arrival in self.arrivals if arrival.tokens <= max_tokens)
        if not short:
            raise BenchError(
                f"no request of {self.name} fits into the {max_tokens} tokens that a target takes: "
                "serve the model with a larger max_model_len"
            )
        return replace(self, arrivals=short)

    def asks(self, count: int, dice: random.Random) -> list[Ask]:
        return [self._ask(arrival, dice) for arrival in self.arrivals[:count]]

    def _ask(self, arrival: Recorded, dice: random.Random) -> Ask:
        dices = [dice_of("block", block) for block in arrival.blocks]
        shared = [self.words.text(BLOCK_TOKENS, block_dice) for block_dice in dices]
        own = max(0, arrival.input_tokens - BLOCK_TOKENS * len(shared))
        text = " ".join([*shared, self.words.text(own, dice)])
        message = Message("user", " ".join(text.split(" ")[: arrival.input_tokens]))
        return Ask((message,), arrival.input_tokens, arrival.output_tokens, arrival.at_s)

    def __str__(self) -> str:
        return f"trace: {self.name}"


def read(file: Path, words: Words) -> Trace:
    """The trace in `file`; raises `BenchError` for what is in neither format of a file."""
    try:
        found = files.read(file)
    except TraceError as error:
        raise BenchError(f"--workload trace: {error}") from error
    return Trace(found.name, found.requests, words)
