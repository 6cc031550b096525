"""Requests of one tenant on their way through a lane."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from serve_app.core.admission import Asked, Permit
from serve_app.core.tenant import Identity, Priority, Tenant
from serve_app.engine.protocol import Call, Frame, Head
from serve_app.errors import ReplicaLost
from serve_app.serving.lane import Lane

CALL = Call("call", "/v1/chat/completions", b"{}")
LOST = ReplicaLost("gone")


SOMEBODY = Identity(Tenant("somebody", weight=2.0, ceiling=Priority.HIGH))


async def admitted(
    it: Lane,
    name: str = "r",
    *,
    timeout_s: float | None = None,
    priority: Priority = Priority.NORMAL,
    max_tokens: int | None = 1,
) -> Permit:
    asked = Asked(name, 1, 1, max_tokens, priority=priority, timeout_s=timeout_s)
    return await it.admit(asked, SOMEBODY)


async def answer(it: Lane, name: str = "r", **wishes: Any) -> list[Head | Frame]:
    answering = it.answer(CALL, await admitted(it, name, **wishes), lambda _: None)
    return [item async for items in answering for item in items]


async def started(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that has run until it waits."""
    task = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)
    return task
