"""The simulated engine as both sides of a comparison run it: in Serve, and behind plain HTTP."""

import argparse
import asyncio
from contextlib import aclosing
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from serve_app.config import Simulated
from serve_app.engine.protocol import Call, Head, Headers
from serve_app.engine.simulated import SimulatedEngine

MODEL = "simulated"
NO_THINK_TIME: dict[str, Any] = {
    "decode_step_s": 0.0,
    "decode_step_per_seq_s": 0.0,
    "prefill_tokens_per_s": 1e9,
    "kv_tokens": 1_000_000,
    "max_num_seqs": 256,
}
JSON: Headers = ((b"content-type", b"application/json"),)
QUIET = {"enable_access_log": False}


def applications(*, gateways: int = 1, engines: int = 1) -> list[dict[str, Any]]:
    """A gateway and engines without think time, as a Serve YAML's `applications`."""
    engine = {"name": "Engine", "num_replicas": engines, "max_ongoing_requests": 1000}
    gateway = {"name": "Gateway", "num_replicas": gateways, "max_ongoing_requests": 3000}
    small = {"graceful_shutdown_timeout_s": 5, "ray_actor_options": {"num_cpus": 0.1}}
    return [
        {
            "name": MODEL,
            "import_path": "serve_app.serving.app:engine",
            "route_prefix": None,
            "args": {
                "kind": "simulated",
                "model": MODEL,
                "names": [MODEL],
                "simulated": NO_THINK_TIME,
            },
            "deployments": [engine | small],
        },
        {
            "name": "gateway",
            "import_path": "serve_app.serving.app:gateway",
            "route_prefix": "/",
            "args": {"models": {MODEL: MODEL}},
            "deployments": [gateway | small],
        },
    ]


class OverHttp:
    """The engine as an ASGI app: what a server of its own would be, as fast as it can be."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _say(send, b'{"object":"list","data":[{"id":"simulated","object":"model"}]}')
            return
        call = Call("over-http", scope["path"], await _body(receive), headers=JSON)
        async with aclosing(self._engine.generate(call)) as items:
            async for item in items:
                if isinstance(item, Head):
                    start = {"status": item.status, "headers": list(item.headers)}
                    await send({"type": "http.response.start", **start})
                else:
                    body = {"body": item.data, "more_body": not item.finished}
                    await send({"type": "http.response.body", **body})


async def _say(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(JSON)})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


async def _serve(port: int) -> None:
    engine = SimulatedEngine(Simulated(**NO_THINK_TIME), names=(MODEL,))
    await engine.start()
    config = uvicorn.Config(OverHttp(engine), port=port, log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop_run = uvicorn.Config("", loop="uvloop").get_loop_factory()
    with asyncio.Runner(loop_factory=uvloop_run) as runner:
        runner.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
