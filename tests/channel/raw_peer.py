"""A peer that says on a channel's socket whatever a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from serve_app.channel.wire import encode, framed
from tests.channel.scripted import HOST


@dataclass(frozen=True)
class RawPeer:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hear(self) -> bytes:
        """The next message. Raises `IncompleteReadError` when the other end has closed."""
        length = int.from_bytes(await self.reader.readexactly(4), "little")
        return await self.reader.readexactly(length)

    def say(self, message: Any) -> None:
        self.writer.write(framed(encode(message)))

    async def is_closed(self) -> bool:
        """Waits for the other end to close, which may say more before it does."""
        with suppress(ConnectionResetError):
            await self.reader.read()
        return True


@asynccontextmanager
async def raw_gateway(port: int) -> AsyncIterator[RawPeer]:
    """Connected to the replica at `port`."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def raw_replica(play: Callable[[RawPeer], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a replica that plays a part to each gateway, then closes."""
    playing: list[asyncio.Future[None]] = []

    async def part(peer: RawPeer) -> None:
        try:
            await play(peer)
        finally:
            peer.writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.append(asyncio.ensure_future(part(RawPeer(reader, writer))))

    async with await asyncio.start_server(accept, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*playing)
