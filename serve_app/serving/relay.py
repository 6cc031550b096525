"""From an engine's items to a client's HTTP response.

A stream is passed on frame by frame, at once; any other answer is sent whole, so that an
engine that fails half-way still gets its proper status. A stream that breaks after its
head is out ends with one error event and without `[DONE]`: never a truncation that looks
complete. A client that leaves, or stops reading, cancels everything behind it.

A stream that the client asked for may be begun by a heartbeat, before the engine has said
anything: from then on its refusals, too, can only be events.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from starlette.types import Message, Receive, Send

from serve_app.engine.protocol import Frame, Head, Headers, Items, Usage
from serve_app.errors import ClientGone, EngineError, RequestError
from serve_app.serving.error_shape import error_body, error_event, refusal_event
from serve_app.serving.heartbeat import HEARTBEAT, Watch

PASSED_ON = (b"content-type", b"content-length")
EVENT_STREAM = b"text/event-stream"
EVENT_END = b"\n\n"
STREAM = Head(200, ((b"content-type", EVENT_STREAM + b"; charset=utf-8"),))
# Proxies that buffer responses hold back tokens; this asks nginx and its kin not to.
STREAM_HEADERS: Headers = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


@dataclass(slots=True)
class Outcome:
    """How a request ended, for the metrics. `code` is "ok", an error's code, or "refused"
    when the engine itself answered with a 4xx."""

    code: str = "ok"
    status: int = 200
    frames: int = 0
    output_tokens: int = 0  # of all frames so far; `usage` comes only with the last one
    usage: Usage | None = None
    request_cpu_s: float = 0.0  # until the answer begins, and of whole answers
    frames_cpu_s: float = 0.0  # after it: of the frames of a stream


class Relay:
    """One response on its way to one client; raises `ClientStalled` when that takes nothing."""

    def __init__(
        self, send: Send, *, idle_write_timeout_s: float, heartbeat_s: float = 0.0, path: str = ""
    ) -> None:
        """Errors have the shape that clients of the route `path` know; `heartbeat_s` 0 is none."""
        self.outcome = Outcome()
        self._path = path
        self._heartbeat_s = heartbeat_s
        self._watch = Watch(
            send, self._heartbeat, stalled_after_s=idle_write_timeout_s, spend=self.spend
        )
        self._headers: dict[bytes, bytes] = {}
        self._head_sent = False
        self._has_begun = False  # to pass on: a heartbeat may have sent a head long before
        self._is_streaming = False
        self._last = EVENT_END

    def spend(self, cpu_s: float) -> None:
        """Note the CPU time of a step of this response's work."""
        if self._is_streaming:
            self.outcome.frames_cpu_s += cpu_s
        else:
            self.outcome.request_cpu_s += cpu_s
        self._is_streaming = self._has_begun

    def add_headers(self, headers: Headers) -> None:
        """For the head of the response, whatever that becomes: an answer, a stream, an error.
        A name that is there already has the new value."""
        self._headers.update(headers)

    def expect_stream(self) -> None:
        """The client asked for a stream: `pass_on` fills its silences with heartbeats."""
        if self._heartbeat_s:
            self._watch.beat_after_s = self._heartbeat_s

    async def pass_on(self, batches: AsyncGenerator[Items, None]) -> None:
        """Send everything; a `RequestError` becomes the response, or the stream's last event."""
        async with self._watch:
            try:
                async with aclosing(batches):
                    await self._pass_on(batches)
            except ClientGone:
                raise
            except RequestError as error:
                await self._fail(error)

    async def fail(self, error: RequestError) -> None:
        async with self._watch:
            await self._fail(error)

    async def _fail(self, error: RequestError) -> None:
        self.outcome.code = error.code
        if self._head_sent:
            whole = b"" if self._last.endswith(EVENT_END) else EVENT_END  # half an event is ended
            await self._watch.send(_body(whole + error_event(error, self._path), more=False))
        else:
            self.outcome.status = error.status
            headers = tuple(self._headers.items())
            await send_error(self._watch.send, error, path=self._path, headers=headers)

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
            await self._send_whole(head, bytes(held))

    def _note(self, frames: Sequence[Frame]) -> bool:
        self.outcome.frames += len(frames)
        for frame in frames:
            self.outcome.output_tokens += len(frame.token_ids)
        last = frames[-1] if frames else None
        if last is not None and last.usage is not None:
            self.outcome.usage = last.usage
        return last is not None and last.finished

    async def _send_whole(self, head: Head, data: bytes) -> None:
        if self._head_sent:  # by a heartbeat, and so as a stream's
            if head.status < 400:
                raise EngineError("the engine answered with a document instead of a stream")
            self.outcome.code = "refused"
            data = refusal_event(head.status, data, self._path)
        await self._send_chunk(head, data, more=False)

    async def _send_chunk(self, head: Head, data: bytes, *, more: bool) -> None:
        if not more:
            self._watch.stop_beating()
        if not self._has_begun:
            await self._begin(head)
        if data or not more:
            self._last = data
            await self._watch.send(_body(data, more=more))

    async def _begin(self, head: Head) -> None:
        self._has_begun = True
        if not self._head_sent:
            self._head_sent = True
            self.outcome.status = head.status
            self.outcome.code = "ok" if head.status < 400 else "refused"
            await self._watch.send(self._start(head))

    def _heartbeat(self) -> Sequence[Message]:
        """What to send into a silence: nothing in the middle of an event, and the head first."""
        if not self._last.endswith(EVENT_END):
            return ()
        beat = _body(HEARTBEAT, more=True)
        if self._head_sent:
            return (beat,)
        self._head_sent = True
        return (self._start(STREAM), beat)

    def _start(self, head: Head) -> Message:
        passed = [(k, v) for k, v in head.headers if k.lower() in PASSED_ON]
        stream = STREAM_HEADERS if _is_stream(head) else ()
        headers = [*passed, *stream, *self._headers.items()]
        return {"type": "http.response.start", "status": head.status, "headers": headers}


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


async def send_error(
    send: Send, error: RequestError, *, path: str = "", headers: Headers = ()
) -> None:
    """A whole response in the route's error shape, with `Retry-After` where the error knows one."""
    body = error_body(error, path)
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.retry_after_s is not None:
        fixed.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
    if error.status in {408, 413}:
        # The rest of the body is still on its way, and nobody will read it.
        fixed.append((b"connection", b"close"))
    every = [*fixed, *headers]
    await send({"type": "http.response.start", "status": error.status, "headers": every})
    await send(_body(body, more=False))


def _body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _is_stream(head: Head) -> bool:
    return any(k.lower() == b"content-type" and v.startswith(EVENT_STREAM) for k, v in head.headers)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
