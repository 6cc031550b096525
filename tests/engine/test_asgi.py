"""A call into an ASGI app: what it sends comes out, and it hears of a client that leaves."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from starlette.responses import StreamingResponse

from serve_app.engine.asgi import BUFFERED_MESSAGES, App, Exchange, Message
from serve_app.engine.protocol import Call

CALL = Call("r1", "/v1/chat/completions", b'{"a": 1}')


async def echo(scope: Message, receive, send) -> None:
    request = await receive()
    await send({"type": "http.response.start", "status": 200, "path": scope["path"]})
    await send({"type": "http.response.body", "body": request["body"]})


def test_what_the_app_sends_comes_out_in_order() -> None:
    async def ask() -> list[Message]:
        return [message async for batch in Exchange(CALL).batches(echo) for message in batch]

    start, body = asyncio.run(ask())
    assert (start["path"], body["body"]) == (CALL.path, CALL.body)


def test_what_is_ready_together_comes_together_and_the_first_message_does_not_wait() -> None:
    more = asyncio.Event()

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await more.wait()
        for body in (b"a", b"b", b"c"):
            await send({"type": "http.response.body", "body": body})

    async def ask() -> list[int]:
        sizes = []
        async for batch in Exchange(CALL).batches(app):
            sizes.append(len(batch))
            more.set()
        return sizes

    assert asyncio.run(ask()) == [1, 3]


def test_what_the_app_raises_is_raised() -> None:
    async def broken(scope, receive, send) -> None:
        raise ValueError("broken")

    async def ask() -> None:
        async for _ in Exchange(CALL).batches(broken):
            pass

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(ask())


def heard_by(app_ends_on_disconnect: bool) -> list[str]:
    """What an app hears when its reader leaves after the first message."""
    heard: list[str] = []

    async def app(scope, receive, send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        try:
            heard.append((await receive())["type"])
            if not app_ends_on_disconnect:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def leave(to: App) -> None:
        async with aclosing(Exchange(CALL, disconnect_timeout_s=0.01).batches(to)) as batches:
            await anext(batches)

    asyncio.run(leave(app))
    return heard


def test_an_app_hears_that_its_client_left_before_anything_is_cancelled() -> None:
    assert heard_by(app_ends_on_disconnect=True) == ["http.disconnect"]


def test_an_app_that_does_not_care_is_cancelled() -> None:
    assert heard_by(app_ends_on_disconnect=False) == ["http.disconnect", "cancelled"]


def test_a_slow_reader_slows_the_app_and_not_the_memory() -> None:
    sent = 0

    async def flood(scope, receive, send) -> None:
        nonlocal sent
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x"})
            sent += 1

    async def read_one() -> None:
        async with aclosing(Exchange(CALL, disconnect_timeout_s=0.01).batches(flood)) as batches:
            await anext(batches)
            for _ in range(200):
                await asyncio.sleep(0)

    asyncio.run(read_one())
    assert sent < 2 * BUFFERED_MESSAGES  # what the reader took, and as many again


def test_a_starlette_stream_ends_as_soon_as_its_reader_leaves() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            yield b"x"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def leave() -> float:
        batches = Exchange(CALL, disconnect_timeout_s=5.0).batches(StreamingResponse(endless()))
        async with aclosing(batches):
            await anext(batches)
            started = time.perf_counter()
        await ended.wait()
        return time.perf_counter() - started

    assert asyncio.run(leave()) < 1.0  # not after the timeout
