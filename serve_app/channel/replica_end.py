"""The replica's end of a channel: runs calls on its engine and sends what they say.

Whatever became ready in one turn of the event loop, over all calls of a gateway, leaves as
one message: one per engine step, without a timer. A call whose window is used up is not
read on until its client has taken more, so its tokens stay in the engine, unformatted.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

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
    Item,
    Load,
    Numbered,
    Report,
    Submit,
    decode_order,
    pieces,
)
from serve_app.core.slot_time import SlotTime
from serve_app.engine.protocol import Call, Frame, Head
from serve_app.errors import EngineError, ReplicaLost, RequestError

logger = logging.getLogger("ray.serve")

LARGEST_BATCH = 1024 * 1024


class Replica(Protocol):
    """What is at this end of the channel."""

    def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        """See `Engine.generate`."""
        ...

    def report(self, gateway: str, beat: Beat) -> Report:
        """Note the gateway's depth, and say how loaded the replica is; no I/O, never raises."""
        ...


class ChannelServer:
    """Answers gateways for `replica`; `running` is by gateway."""

    def __init__(self, replica: Replica, *, patience_s: float = handshake.TIMEOUT_S) -> None:
        self.replica = replica
        self.patience_s = patience_s  # with whoever connects and does not say who they are
        self.secret = handshake.new_secret()
        self.running: dict[str, Load] = {}
        self.slot_time = SlotTime()  # of answers that came to their end
        self.is_draining = False
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._connections: set[_GatewayConnection] = set()

    async def start(self, host: str, *, tls: ssl.SSLContext | None = None) -> int:
        """Listen on a free port of `host` and return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _GatewayConnection(self),
            host,
            0,
            ssl=tls,
            ssl_handshake_timeout=self.patience_s if tls else None,
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def drain(self) -> None:
        """Refuse new calls and wait until the ones that run have ended."""
        self.is_draining = True
        await self._idle.wait()

    def close(self) -> None:
        """Hear nothing more; what was said still leaves."""
        self._server.close()
        for connection in list(self._connections):
            connection.finish()

    def joined(self, connection: "_GatewayConnection") -> None:
        self._connections.add(connection)

    def left(self, connection: "_GatewayConnection") -> None:
        self._connections.discard(connection)

    def started(self, gateway: str, call: Call) -> None:
        self._add(gateway, call.sequences, call.expected_tokens)
        self._calls += 1
        self._idle.clear()

    def ended(self, gateway: str, call: Call) -> None:
        self._add(gateway, -call.sequences, -call.expected_tokens)
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    def _add(self, gateway: str, sequences: int, tokens: int) -> None:
        had = self.running.get(gateway, Load())
        self.running[gateway] = Load(had.sequences + sequences, had.tokens + tokens)
        if not self.running[gateway].sequences:
            del self.running[gateway]


class _Answering:
    """One call that runs here."""

    __slots__ = ("room", "task", "window")

    def __init__(self) -> None:
        self.window = WINDOW_BYTES
        self.room = asyncio.Event()
        self.task: asyncio.Task[None]


class _GatewayConnection(Connection):
    """One gateway, and its calls by number."""

    def __init__(self, server: ChannelServer) -> None:
        super().__init__(server.secret)
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._gateway = ""
        self._hear = self._hear_hello
        self._calls: dict[int, _Answering] = {}
        self._batch: list[Numbered] = []
        self._batch_bytes = 0
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.joined(self)
        self._send(handshake.Challenge(self._nonce))
        self._patience = self._loop.call_later(self._server.patience_s, self.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._transport = None
        self._patience.cancel()
        self._server.left(self)
        for answering in self._calls.values():
            answering.task.cancel()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        for answering in self._calls.values():
            answering.room.set()

    def _hear_hello(self, message: bytes) -> None:
        hello = handshake.decode_hello(message)
        said = (self._nonce, hello.nonce, hello.gateway.encode())
        if not handshake.is_proof(hello.proof, self._secret, "gateway", *said):
            raise BadMessage("whoever connected does not know this replica's secret")
        self._patience.cancel()
        self._gateway = hello.gateway
        self._unframer.largest_message = LARGEST_MESSAGE
        self._hear = self._hear_order
        self._send(handshake.Welcome(handshake.proof(self._secret, "replica", *said)))

    def _hear_order(self, message: bytes) -> None:
        order = decode_order(message)
        if isinstance(order, Submit):
            self._start(order.number, order.call)
        elif isinstance(order, Beat):
            self._put(order.number, self._server.replica.report(self._gateway, order))
        elif (answering := self._calls.get(order.number)) is None:
            return  # it has ended meanwhile
        elif isinstance(order, Cancel):
            answering.task.cancel()
        elif isinstance(order, Credit):
            answering.window += order.size
            answering.room.set()

    def _start(self, number: int, call: Call) -> None:
        if self._server.is_draining:
            gone = ReplicaLost("this replica is being replaced; try again")
            self._put(number, Failed.of(gone))
            return
        answering = self._calls[number] = _Answering()
        self._server.started(self._gateway, call)
        answering.task = self._loop.create_task(self._answer(number, call, answering))
        answering.task.add_done_callback(lambda _: self._ended(number, call))

    def _ended(self, number: int, call: Call) -> None:
        del self._calls[number]
        self._server.ended(self._gateway, call)

    async def _answer(self, number: int, call: Call, answering: _Answering) -> None:
        try:
            await self._pass_on(number, call, answering)
        except RequestError as error:
            self._put(number, Failed.of(error))
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and answering.task.cancelling():
                raise  # the client has left; otherwise the engine cancelled something of its own
            logger.exception("request %s failed", call.request_id)
            failed = EngineError("the engine failed on this request; its log has the reason")
            self._put(number, Failed.of(failed))

    async def _pass_on(self, number: int, call: Call, answering: _Answering) -> None:
        started, last = time.monotonic(), None
        async with aclosing(self._server.replica.generate(call)) as items:
            async for item in items:
                if isinstance(item, Head):
                    self._put(number, item)
                    continue
                last = item
                for piece in pieces(item):
                    if answering.window <= 0 or self._is_full:
                        await self._room(answering)
                    answering.window -= len(piece.data)
                    self._batch_bytes += len(piece.data)
                    self._put(number, piece)
        if last is None or not last.finished:
            raise EngineError("the engine stopped in the middle of its answer; try again")
        tokens = last.usage.tokens if last.usage is not None else 0
        self._server.slot_time.ended(time.monotonic() - started, call.sequences, tokens=tokens)

    async def _room(self, answering: _Answering) -> None:
        while answering.window <= 0 or self._is_full:
            answering.room.clear()
            await answering.room.wait()

    def _put(self, number: int, item: Item) -> None:
        if not self._batch:
            # Runs after everything that is ready now has run, and has put its items.
            self._loop.call_soon(self._flush)
        self._batch.append((number, item))
        if self._batch_bytes >= LARGEST_BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch, self._batch_bytes = self._batch, [], 0
            self._send(batch)
