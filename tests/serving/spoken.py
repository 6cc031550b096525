"""An HTTP server that speaks each route's events, with a heartbeat before every word."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import EllipsisType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.engine.protocol import Frame, Head, Items
from serve_app.errors import RequestError
from serve_app.serving.heartbeat import HEARTBEAT
from serve_app.serving.relay import Relay
from tests.serving.scripted import LAST, STREAM

WORDS = ("Hello, ", "wörld", "!\n\n")
Step = Head | Frame | RequestError | EllipsisType  # ... waits for the next heartbeat


def event(data: dict[str, Any], *, is_named: bool = True) -> Frame:
    name = f"event: {data['type']}\n" if is_named else ""
    return Frame(f"{name}data: {json.dumps(data)}\n\n".encode())


def chat(word: str, finish_reason: str | None = None) -> Frame:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": finish_reason}
    about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**about, "choices": [choice]}, is_named=False)


def completion(word: str) -> Frame:
    about = {"id": "1", "object": "text_completion", "created": 1, "model": "m"}
    choice = {"index": 0, "text": word, "finish_reason": None, "logprobs": None}
    return event({**about, "choices": [choice]}, is_named=False)


def response(word: str) -> Frame:
    place = {"item_id": "1", "output_index": 0, "content_index": 0, "sequence_number": 1}
    return event({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []})


def message(word: str) -> Frame:
    delta = {"type": "text_delta", "text": word}
    return event({"type": "content_block_delta", "index": 0, "delta": delta})


MESSAGE = {"id": "1", "type": "message", "role": "assistant", "model": "m", "content": []}
USAGE = {"input_tokens": 1, "output_tokens": 1}
DONE = Frame(b"data: [DONE]\n\n")
OPENING = {
    "/v1/messages": [
        event({"type": "message_start", "message": {**MESSAGE, "usage": USAGE}}),
        event(
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            }
        ),
    ],
}
WORD = {
    "/v1/chat/completions": chat,
    "/v1/completions": completion,
    "/v1/responses": response,
    "/v1/messages": message,
}
CLOSING = {
    "/v1/chat/completions": [chat("", "stop"), DONE],
    "/v1/completions": [DONE],
    "/v1/responses": [],
    "/v1/messages": [
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "message_stop"}),
    ],
}


class Scripted:
    """Answers by `steps`, or in its route's own words, and sends a heartbeat before each of
    them; relays as `Forward` does."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.heartbeats = asyncio.Semaphore(0)
        self.sent = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            await send(message)
            self.sent += message.get("body", b"")
            if message.get("body") == HEARTBEAT:
                self.heartbeats.release()

        while (await receive()).get("more_body"):
            pass
        path = scope["path"]
        relay = Relay(noted, idle_write_timeout_s=5.0, heartbeat_s=0.01, path=path)
        relay.expect_stream()
        await relay.pass_on(self._play(path))

    async def _play(self, path: str) -> AsyncGenerator[Items, None]:
        words: list[Step] = [frame for word in WORDS for frame in (..., WORD[path](word))]
        whole: list[Step] = [..., STREAM, *OPENING.get(path, []), *words, *CLOSING[path], LAST]
        for step in self.steps or whole:
            if isinstance(step, RequestError):
                raise step
            if isinstance(step, EllipsisType):
                await self.heartbeats.acquire()
            else:
                yield [step]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """`app` over HTTP; yields its URL."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()  # whoever comes before the server does waits
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
