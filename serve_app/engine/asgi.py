"""One HTTP call into an ASGI app that lives in this process: no socket, no HTTP parser.

The app runs in a task of its own. What it has sent since the last look is read here in one
piece; the buffer between the two is bounded, so a slow reader slows the app and not the memory.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from serve_app.engine.protocol import Call

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

BUFFERED_MESSAGES = 64


class Exchange:
    """One request and response, as the app sees them."""

    def __init__(self, call: Call, *, disconnect_timeout_s: float = 5.0) -> None:
        self._call = call
        self._disconnect_timeout_s = disconnect_timeout_s
        self._sent: list[Message] = []
        self._is_over = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._body_read = False
        self._client_gone = asyncio.Event()

    async def batches(self, app: App) -> AsyncGenerator[Sequence[Message], None]:
        """What the app sends, until its response is complete; what is ready comes together.

        Closing this generator tells the app that the client is gone, and ends it.
        Raises what the app raises.
        """
        task = asyncio.create_task(self._run(app))
        try:
            while sent := await self._take():
                yield sent
            await task
        finally:
            self._client_gone.set()
            await self._end(task)

    async def _take(self) -> Sequence[Message]:
        """What was sent since the last time, at least one message; nothing at the end."""
        while not self._sent and not self._is_over:
            self._changed.clear()
            await self._changed.wait()
        sent, self._sent = self._sent, []
        self._room.set()
        return sent

    async def _send(self, message: Message) -> None:
        self._sent.append(message)
        self._changed.set()
        if len(self._sent) >= BUFFERED_MESSAGES:
            self._room.clear()
            await self._room.wait()

    async def _end(self, task: asyncio.Task[None]) -> None:
        """Let the app hear of the disconnect before it is cancelled: vLLM runs a request that
        does not stream in a task of its own, and only stops that one when it hears."""
        await asyncio.wait([task], timeout=self._disconnect_timeout_s)
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task

    async def _run(self, app: App) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        finally:
            self._is_over = True
            self._changed.set()

    async def _receive(self) -> Message:
        if not self._body_read:
            self._body_read = True
            return {"type": "http.request", "body": self._call.body, "more_body": False}
        await self._client_gone.wait()
        return {"type": "http.disconnect"}

    def _scope(self) -> Message:
        body_length = (b"content-length", str(len(self._call.body)).encode())
        request_id = (b"x-request-id", self._call.request_id.encode())
        return {
            "type": "http",
            # From 2.4 on Starlette's streams do not listen for a disconnect: `send` is to raise.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._call.method,
            "scheme": "http",
            "path": self._call.path,
            "raw_path": self._call.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [*self._call.headers, body_length, request_id],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
