"""Every event loop that a channel runs on: plain asyncio, and the uvloop of Serve's replicas."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine; no error may go unheard, and no task may be left."""
    loops = asyncio if request.param == "asyncio" else pytest.importorskip("uvloop")
    return lambda work: loops.run(_watched(work))


async def _watched(work: Coroutine[Any, Any, Any]) -> Any:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with asyncio.timeout(10):
        result = await work
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - asyncio's own may take a turn more
            await asyncio.sleep(0)
    assert unheard == []
    return result
