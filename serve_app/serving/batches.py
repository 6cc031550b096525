"""Coalescing without a timer: what is ready together travels together.

The first item leaves at once. While the consumer is busy with it, further items gather,
and leave together when the consumer comes back. A message per item costs more than the
item; a timer would make the first token wait.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TypeVar

T = TypeVar("T")

LARGEST_BATCH = 64


async def batches(items: AsyncGenerator[T, None]) -> AsyncGenerator[list[T], None]:
    """Lists of what `items` has yielded since the last one; raises what `items` raises.

    The source runs ahead by `LARGEST_BATCH` items at most. Closing this closes the source.
    """
    ready: list[T] = []
    changed = asyncio.Event()
    room = asyncio.Event()

    async def pull() -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    ready.append(item)
                    changed.set()
                    if len(ready) >= LARGEST_BATCH:
                        room.clear()
                        await room.wait()
        finally:
            changed.set()

    pulling = asyncio.create_task(pull())
    try:
        while ready or not pulling.done():
            if not ready:
                changed.clear()
                if not pulling.done():
                    await changed.wait()
                continue
            batch, ready[:] = ready[:], []
            room.set()
            yield batch
        await pulling
    finally:
        pulling.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await pulling
