"""Recorded traffic: arrivals, lengths and shared prefixes of a file, with made-up words.

Two formats, told apart by what is in the file:

* JSON lines as Mooncake publishes them: `timestamp` in ms, `input_length`,
  `output_length`, and optionally `hash_ids`, one for each block of 512 prompt tokens;
  equal ids become equal text, so that a prefix cache hits as it would have.
* CSV as Azure publishes it: TIMESTAMP (a date, or seconds), ContextTokens,
  GeneratedTokens.
"""

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from serve_app.bench.ask import Ask, Message
from serve_app.bench.errors import BenchError
from serve_app.bench.words import Words, dice_of

BLOCK_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Arrival:
    """One recorded request."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        """Prompt and answer together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Trace:
    """A file's requests in the order of their arrival."""

    name: str
    arrivals: tuple[Arrival, ...]
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

    def _ask(self, arrival: Arrival, dice: random.Random) -> Ask:
        dices = [dice_of("block", block) for block in arrival.blocks]
        shared = [self.words.text(BLOCK_TOKENS, block_dice) for block_dice in dices]
        own = max(0, arrival.input_tokens - BLOCK_TOKENS * len(shared))
        text = " ".join([*shared, self.words.text(own, dice)])
        message = Message("user", " ".join(text.split(" ")[: arrival.input_tokens]))
        return Ask((message,), arrival.input_tokens, arrival.output_tokens, arrival.at_s)

    def __str__(self) -> str:
        return f"trace: {self.name}"


def read(file: Path, words: Words) -> Trace:
    """The trace in `file`; raises `BenchError` for what is in neither format."""
    try:
        lines = file.read_text().splitlines()
        arrivals = tuple(_arrivals(lines))
    except OSError as error:
        raise BenchError(f"--workload trace: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BenchError(
            f"{file} is no trace ({type(error).__name__}: {error}): JSON lines with timestamp, "
            "input_length and output_length, or CSV with TIMESTAMP, ContextTokens and "
            "GeneratedTokens"
        ) from error
    if not arrivals:
        raise BenchError(f"{file} holds no requests")
    return Trace(file.name, tuple(sorted(arrivals, key=lambda arrival: arrival.at_s)), words)


def _arrivals(lines: list[str]) -> Iterator[Arrival]:
    if lines and lines[0].startswith("{"):
        return (_of_json(json.loads(line)) for line in lines if line)
    return (_of_csv(row) for row in csv.DictReader(lines))


def _of_json(row: dict[str, Any]) -> Arrival:
    blocks = tuple(int(block) for block in row.get("hash_ids", ()))
    lengths = int(row["input_length"]), int(row["output_length"])
    return Arrival(row["timestamp"] / 1000, *lengths, blocks)


def _of_csv(row: dict[str, str]) -> Arrival:
    lengths = int(row["ContextTokens"]), int(row["GeneratedTokens"])
    return Arrival(_seconds(row["TIMESTAMP"]), *lengths)


def _seconds(time: str) -> float:
    """A date and time, or a number of seconds."""
    if time.replace(".", "", 1).isdigit():
        return float(time)
    return datetime.fromisoformat(time).timestamp()
