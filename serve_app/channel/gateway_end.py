"""The gateway's end of a channel: calls go out, items come back to whoever asked.

What arrives for a call waits here until its client has taken what came before; the window
(`wire.WINDOW_BYTES`) bounds it, so a slow client fills its own window and nothing else.
Items of one call that arrived together are taken together.
"""

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncGenerator, Callable

from serve_app.channel import handshake
from serve_app.channel.connection import Connection
from serve_app.channel.wire import (
    LARGEST_MESSAGE,
    WINDOW_BYTES,
    BadMessage,
    Beat,
    Cancel,
    Credit,
    Failed,
    Report,
    Submit,
    decode_items,
)
from serve_app.engine.protocol import Call, Frame, Head, Items
from serve_app.errors import ReplicaLost, RequestError


class Channel(Connection):
    """Open from `connect` until the connection is lost; then every call has failed."""

    def __init__(self, secret: bytes, *, gateway: str, spend: Callable[[float], None]) -> None:
        super().__init__(secret)
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gateway = gateway
        self._spend = spend
        self._hear = self._hear_challenge
        self._numbers = itertools.count()
        self._readings: dict[int, _Reading] = {}
        self._beats: dict[int, asyncio.Future[Report]] = {}

    async def call(self, call: Call) -> AsyncGenerator[Items, None]:
        """The replica's answer; leaving early cancels the call there.

        Raises what the engine raised, and `ReplicaLost` when the connection breaks.
        """
        if not self.is_open:
            raise _lost()
        number, reading = next(self._numbers), _Reading()
        self._readings[number] = reading
        self._send(Submit(number, call))
        try:
            while not reading.is_over:
                items = await reading.take()
                yield items
                self._return_credit(number, reading, items)
        finally:
            del self._readings[number]
            if not reading.is_over:
                self._send(Cancel(number))

    async def beat(
        self, waiting: tuple[int, ...], waiting_tokens: int, arriving_tokens_per_s: float = 0.0
    ) -> Report:
        """Exchange depth for load. Raises `ReplicaLost`; a replica that hangs does not answer."""
        if not self.is_open:
            raise _lost()
        number = next(self._numbers)
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._beats[number] = answer
        self._send(Beat(number, waiting, waiting_tokens, arriving_tokens_per_s))
        try:
            return await answer
        finally:
            del self._beats[number]

    def data_received(self, data: bytes) -> None:
        started = time.thread_time()
        super().data_received(data)
        self._spend(time.thread_time() - started)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"closed during the handshake ({exc})"))
        self._transport = None
        for reading in self._readings.values():
            reading.fail(_lost())
        for answer in self._beats.values():
            if not answer.done():
                answer.set_exception(_lost())

    def _hear_challenge(self, message: bytes) -> None:
        theirs = handshake.decode_challenge(message).nonce
        name = self._gateway.encode()
        proof = handshake.proof(self._secret, "gateway", theirs, self._nonce, name)
        self._send(handshake.Hello(self._gateway, self._nonce, proof))
        self._said = (theirs, self._nonce, name)
        self._hear = self._hear_welcome

    def _hear_welcome(self, message: bytes) -> None:
        proof = handshake.decode_welcome(message).proof
        if not handshake.is_proof(proof, self._secret, "replica", *self._said):
            raise BadMessage("the other end does not know this replica's secret")
        self._unframer.largest_message = LARGEST_MESSAGE
        self._hear = self._hear_items
        self.opened.set_result(None)

    def _hear_items(self, message: bytes) -> None:
        for number, item in decode_items(message):
            if isinstance(item, Report):
                self._hear_report(number, item)
            elif (reading := self._readings.get(number)) is not None:  # else its client has left
                reading.put(item)

    def _hear_report(self, number: int, report: Report) -> None:
        answer = self._beats.get(number)
        if answer is not None and not answer.done():
            answer.set_result(report)

    def _return_credit(self, number: int, reading: "_Reading", items: Items) -> None:
        """In halves of the window: most answers are shorter and need no message at all."""
        reading.passed_on += sum(len(item.data) for item in items if isinstance(item, Frame))
        if reading.passed_on >= WINDOW_BYTES // 2:
            self._send(Credit(number, reading.passed_on))
            reading.passed_on = 0


class _Reading:
    """One call's items that have arrived and were not taken."""

    __slots__ = ("_arrived", "_error", "_items", "is_over", "passed_on")

    def __init__(self) -> None:
        self.is_over = False
        self.passed_on = 0  # bytes, since the last credit
        self._items: list[Head | Frame] = []
        self._error: RequestError | None = None
        self._arrived: asyncio.Future[None] | None = None

    def put(self, item: Head | Frame | Failed) -> None:
        if isinstance(item, Failed):
            self.fail(item.error())
            return
        self._items.append(item)
        self._wake()

    def fail(self, error: RequestError) -> None:
        self._error = error
        self._wake()

    async def take(self) -> Items:
        """All that is here, at least one item; raises the error that ended the call."""
        if not self._items and self._error is None:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        if not self._items and self._error is not None:
            self.is_over = True
            raise self._error
        items, self._items = self._items, []
        last = items[-1]
        self.is_over = isinstance(last, Frame) and last.finished
        return items

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


async def connect(
    host: str,
    port: int,
    secret: bytes,
    *,
    gateway: str,
    spend: Callable[[float], None] = lambda _: None,
    tls: ssl.SSLContext | None = None,
) -> Channel:
    """A channel that is open; `spend` hears of the CPU seconds that what arrives on it takes.

    Raises `OSError` (`TimeoutError` and `ConnectionError` are some) with the reason.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(handshake.TIMEOUT_S):
        _, channel = await loop.create_connection(
            lambda: Channel(secret, gateway=gateway, spend=spend), host, port, ssl=tls
        )
        try:
            await channel.opened
        except BaseException:
            channel.close()
            raise
    return channel


def _lost() -> ReplicaLost:
    return ReplicaLost("the connection to the replica of this request is gone; try again")
