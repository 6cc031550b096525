"""What travels between a gateway and an engine replica, and how it is cut into messages.

A message is its length in four bytes, then MessagePack. Nothing on the wire can name code:
the decoder knows these types and no others. The gateway numbers its calls and beats; a
number is never used again on its connection.
"""

import math
from collections.abc import Iterator

import msgspec

from serve_app.core.pace import Timings
from serve_app.core.report import ReplicaLoad
from serve_app.core.routing import Replica, prefill_most
from serve_app.engine.protocol import Call, Capacity, EngineStats, Frame, Head, Model
from serve_app.errors import ERRORS, EngineError, RequestError

WINDOW_BYTES = 64 * 1024
"""What a replica may send for one call before the gateway has passed it on."""
LARGEST_PIECE = 256 * 1024
LARGEST_MESSAGE = 256 * 1024 * 1024
"""Between two ends that have proven who they are; before that, `handshake.LARGEST_MESSAGE`."""

_PREFIX = 4


class BadMessage(Exception):
    """The other end does not speak this protocol; the connection is closed."""


class Submit(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Gateway → replica: answer this call."""

    number: int
    call: Call


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Gateway → replica: nobody reads this call any more."""

    number: int


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Gateway → replica: so many more bytes of this call have reached its client."""

    number: int
    size: int


class Beat(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Gateway → replica: how much waits and arrives here for this application; answered by a
    `Report`. `waiting` is requests by priority class, the highest first."""

    number: int
    waiting: tuple[int, ...]
    waiting_tokens: int
    arriving_tokens_per_s: float = 0.0


class Load(msgspec.Struct, frozen=True, array_like=True):
    """What one gateway runs on a replica: sequences, and the KV tokens that they should need."""

    sequences: int = 0
    tokens: int = 0


class Report(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Replica → gateway. `running` is by gateway, as this replica counts it; `slots` is how many
    typical sequences fit, `max_sequences` how many all gateways together may send, however
    small, and `quota` how many this one; None is any number. `start_s` is what the phases of its
    start took. An answer is late if a token takes `slowdown` times as long as alone."""

    replica: str
    model: Model
    capacity: Capacity
    stats: EngineStats
    slots: int
    max_sequences: int
    running: dict[str, Load]
    is_healthy: bool
    quota: int | None = None
    start_s: tuple[tuple[str, float], ...] = ()
    timings: Timings = Timings()
    slowdown: float = 2.0

    def load(self, *, now: float) -> ReplicaLoad:
        """How busy it is with what all gateways sent."""
        return ReplicaLoad(
            running=sum(load.sequences for load in self.running.values()),
            slots=self.slots,
            reported_at=now,
            kv_usage=self.stats.kv_usage,
            slowdown=self.slowdown,
            **self.timings._asdict(),
        )

    def seen_by(self, gateway: str, *, now: float, carries: float = math.inf) -> Replica:
        """A snapshot for `gateway`, which counts what it runs itself; replicas are taken to carry
        so many sequences in time."""
        others = [load for name, load in self.running.items() if name != gateway]
        running = sum(load.sequences for load in others)
        most = self.max_sequences
        return Replica(
            self.replica,
            slots=most if self.quota is None else min(most, running + self.quota),
            running=running,
            part=self.quota or 0,
            seen_at=now,
            kv_tokens=self.capacity.kv_tokens,
            prefill_most=prefill_most(
                self.capacity.max_num_batched_tokens, steps_ahead=self.capacity.steps_ahead
            ),
            reserved_tokens=sum(load.tokens for load in others),
            kv_usage=self.stats.kv_usage,
            carries=carries,
            is_healthy=self.is_healthy,
        )


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Replica → gateway, in the place of a `Head` or `Frame`: the call ended with this error."""

    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: RequestError) -> "Failed":
        return cls(error.code, error.message, error.param, error.retry_after_s)

    def error(self) -> RequestError:
        kind = ERRORS.get(self.code, EngineError)
        return kind(self.message, param=self.param, retry_after_s=self.retry_after_s)


Order = Submit | Cancel | Credit | Beat
Item = Head | Frame | Failed | Report
Numbered = tuple[int, Item]

encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_items = msgspec.msgpack.Decoder(list[Numbered]).decode


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(_PREFIX, "little") + payload


class Unframer:
    """Bytes as they arrive → whole messages."""

    def __init__(self, largest_message: int) -> None:
        self.largest_message = largest_message
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes; raises `BadMessage` on one that is too large."""
        self._buffer += data
        while len(self._buffer) >= _PREFIX:
            end = _PREFIX + int.from_bytes(self._buffer[:_PREFIX], "little")
            if end - _PREFIX > self.largest_message:
                raise BadMessage(f"a message of {end - _PREFIX} bytes; {self.largest_message} fit")
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[_PREFIX:end])
            del self._buffer[:end]
            yield message


def pieces(frame: Frame) -> Iterator[Frame]:
    """`frame` in parts that leave room between them for the frames of other calls."""
    data = frame.data
    if len(data) <= LARGEST_PIECE:
        yield frame
        return
    for start in range(0, len(data), LARGEST_PIECE):
        part = data[start : start + LARGEST_PIECE]
        if start + LARGEST_PIECE < len(data):
            yield Frame(part, frame.choice)
        else:
            yield Frame(part, frame.choice, frame.token_ids, frame.finished, frame.usage)
