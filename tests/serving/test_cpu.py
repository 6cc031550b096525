"""Metered work behaves like the work, and only its own CPU time is counted."""

import asyncio
import time

import pytest

from serve_app.serving.cpu import Metered


def burn(cpu_s: float) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass


def test_what_others_do_while_the_work_waits_is_not_counted() -> None:
    spent: list[float] = []

    async def work() -> str:
        burn(0.01)
        await asyncio.sleep(0)  # the other one burns now
        burn(0.01)
        return "done"

    async def other() -> None:
        burn(0.1)

    async def scenario() -> str:
        metered = asyncio.ensure_future(Metered(work(), spent.append))
        await asyncio.gather(metered, other())
        return metered.result()

    assert asyncio.run(scenario()) == "done"
    assert 0.02 <= sum(spent) < 0.06


def test_an_error_of_the_work_is_raised_and_its_time_counts() -> None:
    spent: list[float] = []

    async def work() -> None:
        await asyncio.sleep(0)
        burn(0.01)
        raise ValueError("as the work said")

    with pytest.raises(ValueError, match="as the work said"):
        asyncio.run(_run(Metered(work(), spent.append)))
    assert sum(spent) >= 0.01


def test_cancelling_reaches_the_work() -> None:
    heard: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def scenario() -> None:
        task = asyncio.ensure_future(Metered(work(), lambda _: None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert heard == ["cancelled"]


async def _run(metered: Metered[None]) -> None:
    await metered
