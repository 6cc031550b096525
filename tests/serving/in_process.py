"""The gateway and simulated engines in one process: everything but Ray and the network."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import Message

from serve_app.config import GatewayTunables, Simulated
from serve_app.engine.protocol import Call
from serve_app.engine.simulated import SimulatedEngine
from serve_app.serving.batches import batches
from serve_app.serving.ingress import Ingress
from serve_app.serving.lane import Items, Lane
from serve_app.serving.metrics import Metrics
from tests.serving.scripted import report

MODEL = "simulated"
FAST = {"decode_step_s": 0.0, "prefill_tokens_per_s": 1e9}


class LocalEngines:
    """Replicas that live here."""

    def __init__(self, *engines: SimulatedEngine) -> None:
        self.engines = dict(enumerate(engines))

    async def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        async with aclosing(batches(self.engines[int(replica_id)].generate(call))) as ready:
            async for items in ready:
                yield items


@dataclass(frozen=True)
class Running:
    """A gateway, a client of it, its lane, and the one engine behind it."""

    ingress: Ingress
    client: httpx.AsyncClient
    lane: Lane

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        """The pieces of a chat answer as they are sent; httpx's transport would hold them."""
        sent: asyncio.Queue[Message] = asyncio.Queue()
        raw = json.dumps(body).encode()
        requests = iter([{"type": "http.request", "body": raw}])

        async def receive() -> Message:
            for request in requests:
                return request
            return await asyncio.Event().wait()

        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": []}
        answering = asyncio.create_task(self.ingress(scope, receive, sent.put))
        await sent.get()
        while (message := await sent.get()).get("more_body"):
            yield message["body"]
        yield message["body"]
        await answering


@asynccontextmanager
async def gateway(tunables: dict[str, Any] | None = None, **knobs: Any) -> AsyncIterator[Running]:
    """A running gateway; `knobs` are the simulated engine's."""
    engine = SimulatedEngine(Simulated(**(FAST | knobs)), names=(MODEL,))
    await engine.start()
    checked = GatewayTunables.model_validate(tunables or {})
    lane = Lane("app", LocalEngines(engine), checked, gateway="here")
    lane.hear([report("0", slots=8, model=engine.model, capacity=engine.capacity)])
    ingress = Ingress({MODEL: lane}, checked, Metrics())
    transport = httpx.ASGITransport(ingress)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Running(ingress, client, lane)
    finally:
        await engine.shutdown()
