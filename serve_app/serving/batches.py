"""Coalescing without a timer: what is ready together travels together.

The first item leaves at once. While the consumer is busy with it, further items gather,
and leave together when the consumer comes back. A message per item costs more than the
item; a timer would make the first token wait.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Generic, TypeVar

T = TypeVar("T")

LARGEST_BATCH = 64


async def batches(items: AsyncGenerator[T, None]) -> AsyncGenerator[list[T], None]:
    """Lists of what `items` has yielded since the last one; raises what `items` raises.

    The source runs ahead by `LARGEST_BATCH` items at most. Closing this closes the source.
    """
    gathering = _Gathering(items)
    try:
        while batch := await gathering.take():
            yield batch
    finally:
        await gathering.close()


class _Gathering(Generic[T]):
    """A task that reads ahead, and what it has read."""

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items
        self._ready: list[T] = []
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._pulling = asyncio.create_task(self._pull())

    async def take(self) -> list[T]:
        """What is ready, at least one item; empty at the end."""
        while not self._ready and not self._pulling.done():
            self._changed.clear()
            await self._changed.wait()
        if not self._ready:
            await self._pulling
        batch, self._ready = self._ready, []
        self._room.set()
        return batch

    async def close(self) -> None:
        self._pulling.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._pulling

    async def _pull(self) -> None:
        try:
            async with aclosing(self._items):
                async for item in self._items:
                    self._ready.append(item)
                    self._changed.set()
                    if len(self._ready) >= LARGEST_BATCH:
                        self._room.clear()
                        await self._room.wait()
        finally:
            self._changed.set()
