"""The tokens of one reply on their way to its reader, who may be slower than the engine.

Nothing is buffered: a choice knows its whole answer, how many of its tokens are computed
and how many were taken. A reader that falls behind finds several tokens in one frame.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from serve_app.engine.batch import Sequence
from serve_app.engine.kv_cache import block_hashes
from serve_app.engine.protocol import Frame, Usage
from serve_app.engine.simulated_reply import Choice, Reply


@dataclass(slots=True)
class Stream:
    """One choice: `ready` tokens are computed, `sent` of them were taken."""

    choice: Choice
    sequence: Sequence
    moved: asyncio.Event
    ready: int = 0
    sent: int = 0
    first_at: float = 0.0

    def advance(self, now: float) -> None:
        """One more token is computed."""
        self.first_at = self.first_at if self.ready else now
        self.ready += 1
        self.moved.set()


class Delivery:
    """The streams of one reply; `moved` is set when there is something to take."""

    def __init__(self, reply: Reply, *, block_tokens: int) -> None:
        self.reply = reply
        self.moved = asyncio.Event()
        self.streams = [
            Stream(choice, _sequence(choice, block_tokens), self.moved) for choice in reply.choices
        ]
        self.left = sum(stream.sequence.output_tokens for stream in self.streams)

    @property
    def has_status(self) -> bool:
        """Whether the status is known: at once for a stream, else when all is computed."""
        return self.reply.streams or self.left == sum(s.ready for s in self.streams)

    def take(self) -> Iterator[Frame]:
        """What is ready and was not taken; the last frame of all ends the reply."""
        for index, stream in enumerate(self.streams):
            first, stream.sent = stream.sent, stream.ready
            ids = stream.choice.answer.token_ids[first : stream.sent]
            if not ids:
                continue
            self.left -= len(ids)
            data = self.reply.events(index, first, stream.sent)
            if self.left:
                yield Frame(data, index, ids)
            else:
                usage = self._usage()
                yield Frame(data + self.reply.tail(usage), index, ids, finished=True, usage=usage)

    def _usage(self) -> Usage:
        sequences = [stream.sequence for stream in self.streams]
        prompts = sequences[:: self.reply.n]
        return Usage(
            prompt_tokens=sum(s.prompt_tokens for s in prompts),
            cached_tokens=sum(s.cached for s in prompts),
            output_tokens=sum(s.output_tokens for s in sequences),
        )


def _sequence(choice: Choice, block_tokens: int) -> Sequence:
    output_ids = choice.answer.token_ids
    hashes = block_hashes(choice.prompt_ids + output_ids, block_tokens)
    return Sequence(len(choice.prompt_ids), len(output_ids), hashes)
