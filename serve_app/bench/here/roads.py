"""What the roads through Serve carry without us: chunks made in the ingress replica itself,
and chunks pulled one by one through a deployment handle."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

CHUNK = (
    b'data: {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", '
    b'"created": 1700000000, "model": "m", "choices": [{"index": 0, "delta": '
    b'{"content": " tok"}, "logprobs": null, "finish_reason": null}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
CHUNKS_PER_TURN = 16


class Chunks:
    """The deployment behind the handle."""

    async def make(self, count: int) -> AsyncGenerator[bytes, None]:
        for index in range(count):
            yield CHUNK
            if index % CHUNKS_PER_TURN == 0:
                await asyncio.sleep(0)


class Roads:
    """`?road=local&chunks=N` and `?road=handle&chunks=N`."""

    def __init__(self, chunks: DeploymentHandle) -> None:
        self._chunks = chunks.options(stream=True)

    async def __call__(self, request: Request) -> Response:
        count = int(request.query_params["chunks"])
        is_local = request.query_params["road"] == "local"
        stream = self._local(count) if is_local else self._handle(count)
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _local(self, count: int) -> AsyncGenerator[bytes, None]:
        for _ in range(count):
            yield CHUNK
            await asyncio.sleep(0)
        yield DONE

    async def _handle(self, count: int) -> AsyncGenerator[bytes, None]:
        async for chunk in self._chunks.make.remote(count):
            yield chunk
        yield DONE


def app(_args: dict[str, Any]) -> Application:
    options: dict[str, Any] = {
        "max_ongoing_requests": 1000,
        "ray_actor_options": {"num_cpus": 0.1},
    }
    chunks = serve.deployment(Chunks, **options).bind()
    return serve.deployment(Roads, **options).bind(chunks)
