"""From an engine's items to a client's HTTP response.

A stream is passed on frame by frame, at once; any other answer is sent whole, so that an
engine that fails half-way still gets its proper status. A stream that breaks after its
head is out ends with one error event and without `[DONE]`: never a truncation that looks
complete. A client that leaves, or stops reading, cancels everything behind it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from starlette.types import Message, Receive, Send

from serve_app.engine.protocol import Frame, Head, Headers, Items, Usage
from serve_app.errors import ClientGone, ClientStalled, EngineError, RequestError

PASSED_ON = (b"content-type", b"content-length")
EVENT_STREAM = b"text/event-stream"
# Proxies that buffer responses hold back tokens; this asks nginx and its kin not to.
STREAM_HEADERS: Headers = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


@dataclass(slots=True)
class Outcome:
    """How a request ended, for the metrics. `code` is "ok", an error's code, or "refused"
    when the engine itself answered with a 4xx."""

    code: str = "ok"
    status: int = 200
    frames: int = 0
    usage: Usage | None = None
    request_cpu_s: float = 0.0  # until the head is sent, and of whole answers
    frames_cpu_s: float = 0.0  # after it: of the frames of a stream


class Relay:
    """One response on its way to one client; raises `ClientStalled` when that takes nothing."""

    def __init__(self, send: Send, *, idle_write_timeout_s: float) -> None:
        self.outcome = Outcome()
        self._client = send
        self._idle_write_timeout_s = idle_write_timeout_s
        self._head_sent = False
        self._is_streaming = False

    def spend(self, cpu_s: float) -> None:
        """Note the CPU time of a step of this response's work."""
        if self._is_streaming:
            self.outcome.frames_cpu_s += cpu_s
        else:
            self.outcome.request_cpu_s += cpu_s
        self._is_streaming = self._head_sent

    async def pass_on(self, batches: AsyncGenerator[Items, None]) -> None:
        """Send everything; a `RequestError` becomes the response, or the stream's last event."""
        try:
            async with aclosing(batches):
                await self._pass_on(batches)
        except ClientGone:
            raise
        except RequestError as error:
            await self.fail(error)

    async def fail(self, error: RequestError) -> None:
        self.outcome.code = error.code
        if self._head_sent:
            await self._send_body(error.event(), more=False)
        else:
            self.outcome.status = error.status
            await send_error(self._send, error)

    async def _pass_on(self, batches: AsyncGenerator[Items, None]) -> None:
        head, held = Head(200), bytearray()
        is_stream = is_finished = False
        async for items in batches:
            if isinstance(items[0], Head):
                head, is_stream = items[0], _is_stream(items[0])
            frames = [item for item in items if isinstance(item, Frame)]
            is_finished = self._note(frames)
            data = b"".join(frame.data for frame in frames)
            if not is_stream:
                held += data
            elif frames:
                await self._send_chunk(head, data, more=not is_finished)
        if not is_finished:
            raise EngineError("the engine stopped in the middle of its answer; try again")
        if not is_stream:
            await self._send_chunk(head, bytes(held), more=False)

    def _note(self, frames: Sequence[Frame]) -> bool:
        self.outcome.frames += len(frames)
        last = frames[-1] if frames else None
        if last is not None and last.usage is not None:
            self.outcome.usage = last.usage
        return last is not None and last.finished

    async def _send_chunk(self, head: Head, data: bytes, *, more: bool) -> None:
        if not self._head_sent:
            self._head_sent = True
            self.outcome.status = head.status
            self.outcome.code = "ok" if head.status < 400 else "refused"
            await self._send(self._start(head))
        if data or not more:
            await self._send_body(data, more=more)

    def _start(self, head: Head) -> Message:
        passed = [(k, v) for k, v in head.headers if k.lower() in PASSED_ON]
        stream = STREAM_HEADERS if _is_stream(head) else ()
        headers = [*passed, *stream]
        return {"type": "http.response.start", "status": head.status, "headers": headers}

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._idle_write_timeout_s):
                await self._client(message)
        except TimeoutError:
            raise ClientStalled(
                f"the client took nothing for {self._idle_write_timeout_s:g} s"
            ) from None

    async def _send_body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


async def while_connected(receive: Receive, work: Awaitable[None]) -> None:
    """Await `work`; raises `ClientGone`, having cancelled it, when the client disconnects."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("the client closed its connection")
        await working
    finally:
        await _cancel(watching)
        await _cancel(working)


async def send_error(send: Send, error: RequestError) -> None:
    """A whole response in OpenAI's error shape, with `Retry-After` where the error knows one."""
    body = error.body()
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.retry_after_s is not None:
        fixed.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    if error.status in {408, 413}:
        # The rest of the body is still on its way, and nobody will read it.
        fixed.append((b"connection", b"close"))
    start = {"type": "http.response.start", "status": error.status, "headers": fixed}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _is_stream(head: Head) -> bool:
    return any(k.lower() == b"content-type" and v.startswith(EVENT_STREAM) for k, v in head.headers)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
