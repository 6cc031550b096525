"""An OpenAI endpoint on 127.0.0.1 that does as it is told, and remembers what it was sent."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@dataclass
class Endpoint:
    """How it behaves; `bodies` and `keys` are what came, in the order of arrival.

    `at_request` is what happens elsewhere when so many requests have come.
    """

    ttft_s: float = 0.0
    itl_s: float = 0.0
    models: tuple[str, ...] = ("tiny",)
    card: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    sends_usage: bool = True
    cut_every: int = 0
    refuse_every: int = 0
    tokens_per_chunk: int = 1
    at_request: dict[int, Callable[[], None]] = field(default_factory=dict)
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    async def list_models(self, request: Request) -> Response:
        if refusal := self._refused_key(request):
            return refusal
        return JSONResponse({"data": [{"id": name, **self.card} for name in self.models]})

    async def answer(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        if refusal := self._refused_key(request):
            return refusal
        body = await request.json()
        self.bodies.append(body)
        self.at_request.get(len(self.bodies), lambda: None)()
        if self.refuse_every and len(self.bodies) % self.refuse_every == 0:
            return _refusal(429, "queue_full", "1000 wait, at most 1000 may: try again later")
        is_cut = bool(self.cut_every) and len(self.bodies) % self.cut_every == 0
        return StreamingResponse(self._stream(body, is_cut), media_type="text/event-stream")

    async def _stream(self, body: dict[str, Any], is_cut: bool) -> AsyncIterator[str]:
        tokens = body.get("max_tokens") or body["max_completion_tokens"]
        for index in range(0, tokens, self.tokens_per_chunk):
            await asyncio.sleep(self.itl_s if index else self.ttft_s)
            word = "word " * self.tokens_per_chunk
            choice = {"delta": {"content": word}} if "messages" in body else {"text": word}
            yield _event({"choices": [choice]})
            if is_cut:
                return
        if self.sends_usage:
            usage = {"prompt_tokens": _words(body), "completion_tokens": tokens}
            yield _event({"choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    def _refused_key(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return _refusal(401, "invalid_api_key", "this key opens nothing")
        return None


def _words(body: dict[str, Any]) -> int:
    said = [message["content"] for message in body.get("messages", ())] or [body["prompt"]]
    return sum(len(text.split()) for text in said)


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """`endpoint` on a free port, for as long as the block runs."""
    routes = [
        Route("/v1/models", endpoint.list_models),
        Route("/v1/completions", endpoint.answer, methods=["POST"]),
        Route("/v1/chat/completions", endpoint.answer, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()  # whoever comes before the thread does waits
    endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield endpoint
    finally:
        server.should_exit = True
        thread.join()
