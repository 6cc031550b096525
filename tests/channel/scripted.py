"""A replica that answers by script, and a channel to it in this process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from serve_app.channel.gateway_end import Channel, connect
from serve_app.channel.replica_end import ChannelServer
from serve_app.channel.wire import Beat, Report
from serve_app.engine.protocol import Call, Frame, Head
from tests.serving import scripted
from tests.serving.scripted import LAST, STREAM

HOST = "127.0.0.1"

Script = Iterable[Head | Frame | BaseException | asyncio.Event]


class ScriptedReplica:
    """Request id → what it says: items to yield, errors to raise, events to wait for."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts
        self.called: list[str] = []
        self.ended: list[str] = []
        self.said: dict[str, int] = {}  # bytes by request id
        self.beats: list[Beat] = []

    async def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        self.called.append(call.request_id)
        self.said[call.request_id] = 0
        try:
            for item in self.scripts[call.request_id]:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, asyncio.Event):
                    await item.wait()
                    continue
                self.said[call.request_id] += len(getattr(item, "data", b""))
                yield item
        finally:
            self.ended.append(call.request_id)

    def report(self, gateway: str, beat: Beat) -> Report:
        self.beats.append(beat)
        return scripted.report("r")


@dataclass(frozen=True)
class Ends:
    """Both ends of a channel."""

    server: ChannelServer
    channel: Channel

    @property
    def connection(self):
        """The replica's end of the only channel."""
        (connection,) = self.server._connections
        return connection

    async def answer(self, request_id: str) -> bytes:
        """The bytes of a whole answer."""
        return b"".join([data async for data in stream(self.channel, request_id)])


@asynccontextmanager
async def ends(
    replica: ScriptedReplica, *, tls: Any = (None, None), **knobs: Any
) -> AsyncIterator[Ends]:
    """A channel to `replica`; what it leaves behind when it is closed is an error."""
    server = ChannelServer(replica)
    port = await server.start(HOST, tls=tls[0])
    channel = await connect(HOST, port, server.secret, gateway="here", tls=tls[1], **knobs)
    try:
        yield Ends(server, channel)
    finally:
        channel.close()
        server.close()
        await until(lambda: not server._connections and not server.running)
    await asyncio.wait_for(server.drain(), timeout=1)
    assert sorted(replica.ended) == sorted(replica.called)


async def stream(channel: Channel, request_id: str) -> AsyncIterator[bytes]:
    """The bytes of each frame of an answer."""
    async for items in channel.call(a_call(request_id)):
        for item in items:
            if isinstance(item, Frame):
                yield item.data


async def until(condition: Callable[[], bool]) -> None:
    """Ends with the loop's next turn in which `condition` holds; a test has its own limit."""
    while not condition():  # noqa: ASYNC110 - what is awaited announces nothing
        await asyncio.sleep(0)


def a_call(request_id: str, *, sequences: int = 1, body: bytes = b"{}") -> Call:
    return Call(request_id, "/v1/chat/completions", body, sequences=sequences)


def answer(*data: bytes) -> list[Head | Frame]:
    """A script: a whole answer, one frame for each of `data`."""
    return [STREAM, *(Frame(part) for part in data), LAST]
