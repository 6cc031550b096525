"""Items that are ready together come together; the first one never waits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from serve_app.serving.batches import LARGEST_BATCH, batches


async def numbers(count: int) -> AsyncGenerator[int, None]:
    for number in range(count):
        yield number


def test_nothing_is_lost_and_the_order_stays() -> None:
    async def read() -> list[int]:
        return [number async for batch in batches(numbers(1000)) for number in batch]

    assert asyncio.run(read()) == list(range(1000))


def test_the_first_item_leaves_alone_and_what_gathers_meanwhile_together() -> None:
    async def scenario() -> list[list[int]]:
        more = asyncio.Event()

        async def source() -> AsyncGenerator[int, None]:
            yield 0
            await more.wait()
            for number in (1, 2, 3):
                yield number

        got = []
        async for batch in batches(source()):
            got.append(batch)
            more.set()
            for _ in range(10):  # the consumer is busy
                await asyncio.sleep(0)
        return got

    assert asyncio.run(scenario()) == [[0], [1, 2, 3]]


def test_an_error_comes_after_what_was_ready_before_it() -> None:
    async def source() -> AsyncGenerator[int, None]:
        yield 0
        raise ValueError("broken")

    async def read(got: list[int]) -> None:
        async for batch in batches(source()):
            got += batch

    got: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(read(got))
    assert got == [0]


def test_a_consumer_that_stops_reading_stops_the_source_and_one_that_leaves_closes_it() -> None:
    made = 0
    closed = False

    async def source() -> AsyncGenerator[int, None]:
        nonlocal made, closed
        try:
            while True:
                made += 1
                yield made
                await asyncio.sleep(0)
        finally:
            closed = True

    async def read_one() -> None:
        async with aclosing(batches(source())) as reading:
            await anext(reading)
            for _ in range(10 * LARGEST_BATCH):
                await asyncio.sleep(0)

    asyncio.run(read_one())
    assert made <= LARGEST_BATCH + 2
    assert closed
