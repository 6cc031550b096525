"""A gateway, a channel and a simulated engine in one process: everything but Ray."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import Message

from serve_app.channel.gateway_end import Channel, connect
from serve_app.channel.replica_end import ChannelServer
from serve_app.config import GatewayTunables, Simulated
from serve_app.core.limiter import Limiter
from serve_app.engine.protocol import Call, Items
from serve_app.engine.simulated import SimulatedEngine
from serve_app.serving.ingress import Ingress
from serve_app.serving.keys import key_ring
from serve_app.serving.lane import Lane
from serve_app.serving.ledger import LedgerClient
from serve_app.serving.metrics import Metrics
from tests.serving.scripted import report

MODEL = "simulated"
REPLICA = "0"
FAST = {"decode_step_s": 0.0, "prefill_tokens_per_s": 1e9}


class LocalEngines:
    """One replica, at the other end of a channel in this process."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def call(self, replica_id: str, call: Call) -> AsyncGenerator[Items, None]:
        assert replica_id == REPLICA
        return self.channel.call(call)


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
    server = ChannelServer(engine)
    port = await server.start("127.0.0.1")
    channel = await connect("127.0.0.1", port, server.secret, gateway="here")
    checked = GatewayTunables.model_validate(tunables or {})
    limiter = Limiter("here")
    ledger = LedgerClient(None, limiter)
    lane = Lane("app", LocalEngines(channel), checked, gateway="here", ledger=ledger)
    reports = [report(REPLICA, slots=8, model=engine.model, capacity=engine.capacity)]
    keys = key_ring(checked, host="127.0.0.1", environment={})
    lane.hear(reports, in_service={REPLICA})
    ingress = Ingress({MODEL: lane}, checked, Metrics(), limiter=limiter, keys=keys)
    transport = httpx.ASGITransport(ingress)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Running(ingress, client, lane)
    finally:
        channel.close()
        server.close()
        await engine.shutdown()
