"""A start that may take so long and no longer.

Loading blocks the event loop for minutes, so a timeout cannot be a coroutine's: a thread
watches. When time is up it cancels the start, for an engine that waits politely, and calls
`abort`, which makes a blocked one fail. What does neither is ended with its process: Serve
starts another.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from serve_app.errors import LoadTimeout

logger = logging.getLogger("ray.serve")

GRACE_S = 60.0  # importing vLLM has taken 20 s, and cannot be interrupted
AGAIN_S = 0.5


class HasPhase(Protocol):
    """Whoever can say what a start is doing now."""

    @property
    def phase(self) -> str:
        """In words that go after "while": "the weights are read"."""
        ...


async def within(
    timeout_s: float,
    start: Coroutine[Any, Any, None],
    *,
    source: HasPhase,
    abort: Callable[[], None],
) -> None:
    """Run `start`; raises `LoadTimeout` naming the phase of `source` when it takes longer."""
    starting = asyncio.ensure_future(start)
    watch = _Watch(timeout_s, source, abort, asyncio.get_running_loop(), starting)
    with watch:
        try:
            await starting
        except BaseException as error:
            if watch.message:
                raise LoadTimeout(watch.message) from error
            raise


class _Watch:
    """The thread, as a context; `message` is set when time was up."""

    def __init__(
        self,
        timeout_s: float,
        source: HasPhase,
        abort: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
        starting: asyncio.Task[None],
    ) -> None:
        self.message = ""
        self._timeout_s = timeout_s
        self._source = source
        self._abort = abort
        self._loop = loop
        self._starting = starting
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load-timeout", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _run(self) -> None:
        if self._ended.wait(self._timeout_s):
            return
        self.message = (
            f"not ready after {self._timeout_s:g} s (load_timeout_s): time was up while "
            f"{self._source.phase}. If that is still on its way, give it longer"
        )
        logger.error("%s", self.message)
        self._loop.call_soon_threadsafe(self._starting.cancel)
        given_up_at = time.monotonic() + GRACE_S
        while time.monotonic() < given_up_at:
            self._abort()  # again: what blocks may only now come to where it can be made to fail
            if self._ended.wait(AGAIN_S):
                return
        logger.error("the start goes on regardless; this process ends")
        os._exit(1)
