"""Sends a measurement's requests at the right moments; knows nothing of HTTP.

The client shares a machine with what it measures more often than not, so its own work is
measured too, and the garbage collector is kept off what was alive before: walking vLLM's
modules would be a pause in everybody's tokens.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from serve_app.bench.answer import Answer
from serve_app.bench.ask import Ask

Send = Callable[[Ask], Awaitable[Answer]]


@dataclass(slots=True)
class Effort:
    """What a block of work took: seconds, and the share of a core that this process used."""

    duration_s: float = 0.0
    cpu_share: float = 0.0


async def in_flight(asks: Sequence[Ask], send: Send, *, concurrency: int) -> list[Answer]:
    """Closed loop: the next request leaves when one of `concurrency` is answered."""
    feed = iter(asks)

    async def user() -> list[Answer]:
        return [await send(ask) for ask in feed]

    answers = await asyncio.gather(*(user() for _ in range(concurrency)))
    return [answer for one_user in answers for answer in one_user]


async def arriving(asks: Sequence[Ask], send: Send, *, arrivals_s: Sequence[float]) -> list[Answer]:
    """Open loop: each request leaves at its time after the start, whoever else is waiting."""
    clock = asyncio.get_running_loop().time
    start = clock()
    async with asyncio.TaskGroup() as group:
        sent = []
        for ask, at_s in zip(asks, arrivals_s, strict=True):
            await asyncio.sleep(start + at_s - clock())
            sent.append(group.create_task(_awaited(send, ask)))
    return [task.result() for task in sent]


async def _awaited(send: Send, ask: Ask) -> Answer:
    return await send(ask)


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """In the block the garbage collector walks only what was made in it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def effort() -> Iterator[Effort]:
    """Measure the block; filled in when it ends."""
    gc.collect()
    spent = Effort()
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    try:
        yield spent
    finally:
        spent.duration_s = time.perf_counter() - start_s
        spent.cpu_share = (time.process_time() - start_cpu_s) / spent.duration_s
