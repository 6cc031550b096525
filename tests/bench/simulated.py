"""The simulated engine behind plain HTTP, on a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from serve_app.bench.here.simulated import MODEL, OverHttp
from serve_app.config import Simulated
from serve_app.engine.simulated import SimulatedEngine


@contextmanager
def simulated(**knobs: Any) -> Iterator[str]:
    """The URL of an engine with these rates, for as long as the block runs."""
    config = uvicorn.Config("", log_level="error", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    listener = uvicorn.Config("", port=0).bind_socket()
    listener.listen()  # whoever comes before the thread does waits

    async def serve() -> None:
        engine = SimulatedEngine(Simulated(**knobs), names=(MODEL,))
        await engine.start()
        config.app = OverHttp(engine)
        await server.serve([listener])
        await engine.shutdown()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
