"""A lane's permit: however a request ends, its slot is free and the next one runs."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from serve_app.core.request import Request
from serve_app.engine.protocol import Call, Frame, Head
from serve_app.errors import DeadlineExceeded, EngineError, NoReplica, QueueFull, ReplicaLost
from serve_app.serving.lane import Lane
from tests.serving.scripted import LAST, STREAM, ManualClock, ScriptedEngines, lane

CALL = Call("call", "/v1/chat/completions", b"{}")
LOST = ReplicaLost("gone")


def asked(it: Lane, name: str = "r", timeout_s: float | None = None) -> Request:
    return it.request(name, sequences=1, prompt_tokens=1, output_tokens=1, timeout_s=timeout_s)


async def answer(it: Lane, name: str = "r", timeout_s: float | None = None) -> list[Head | Frame]:
    request = asked(it, name, timeout_s)
    return [item async for items in it.answer(CALL, request) for item in items]


async def started(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that has run until it waits."""
    task = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def test_an_answer_is_handed_on_and_its_slot_is_free_afterwards() -> None:
    engines = ScriptedEngines(a=[STREAM, LAST])
    it = lane(engines)

    assert asyncio.run(answer(it)) == [STREAM, LAST]
    assert (it.running, it.depth, engines.open) == (0, 0, 0)


def test_a_second_request_runs_when_the_first_one_ends() -> None:
    async def scenario() -> None:
        done = asyncio.Event()
        it = lane(ScriptedEngines(a=[STREAM, done, LAST]))
        first = await started(answer(it, "first"))
        second = await started(answer(it, "second"))
        assert (it.running, it.depth) == (1, 1)

        done.set()
        await asyncio.gather(first, second)
        assert (it.running, it.depth) == (0, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("leaver", ["first", "second"])
def test_whoever_is_cancelled_leaves_nothing_behind(leaver: str) -> None:
    async def scenario() -> None:
        never = asyncio.Event()
        engines = ScriptedEngines(a=[STREAM, never])
        it = lane(engines)
        tasks = {name: await started(answer(it, name)) for name in ("first", "second")}

        tasks[leaver].cancel()
        await asyncio.wait([tasks[leaver]])
        await asyncio.sleep(0)
        assert (it.running, it.depth) == (1, 0)  # the other one runs

        other = "second" if leaver == "first" else "first"
        tasks[other].cancel()
        await asyncio.wait([tasks[other]])
        assert (it.running, it.depth, engines.open) == (0, 0, 0)

    asyncio.run(scenario())


def test_a_replica_lost_before_the_first_byte_is_replaced_by_another() -> None:
    engines = ScriptedEngines(a=[STREAM, LAST], b=[LOST])
    it = lane(engines)

    assert asyncio.run(answer(it)) == [STREAM, LAST]
    assert engines.called == ["b", "a"]


def test_a_replica_lost_in_mid_stream_is_the_callers_to_show() -> None:
    engines = ScriptedEngines(a=[STREAM, Frame(b"x"), LOST], b=[STREAM, Frame(b"x"), LOST])

    with pytest.raises(ReplicaLost):
        asyncio.run(answer(lane(engines)))
    assert len(engines.called) == 1


def test_a_request_that_the_engine_fails_on_is_not_tried_elsewhere() -> None:
    engines = ScriptedEngines(a=[EngineError("bad luck")], b=[EngineError("bad luck")])

    with pytest.raises(EngineError):
        asyncio.run(answer(lane(engines)))
    assert len(engines.called) == 1


def test_retries_end() -> None:
    engines = ScriptedEngines(a=[LOST], b=[LOST], c=[LOST], d=[LOST])

    with pytest.raises(ReplicaLost):
        asyncio.run(answer(lane(engines, retries=2)))
    assert len(engines.called) == 3


def test_without_a_replica_it_says_what_it_waits_for() -> None:
    with pytest.raises(NoReplica, match="waiting for application 'app'"):
        asyncio.run(answer(lane(ScriptedEngines())))


def test_a_request_waits_no_longer_than_its_client_allows() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        it = lane(ScriptedEngines(a=[STREAM, asyncio.Event()]), clock=clock)
        running = await started(answer(it, "running"))
        waiting = await started(answer(it, "waiting", timeout_s=2.0))

        clock.now = 2.0
        it.dispatch()
        with pytest.raises(DeadlineExceeded, match=r"waited 2\.0 s"):
            await waiting
        assert it.depth == 0
        running.cancel()

    asyncio.run(scenario())


def test_a_client_cannot_wait_longer_than_the_config_allows() -> None:
    it = lane(ScriptedEngines(a=[LAST]), queue={"deadline_s": 5.0})

    assert asked(it, timeout_s=900.0).deadline_at == 5.0


def test_new_bounds_hold_from_the_next_arrival_on() -> None:
    async def scenario() -> None:
        it = lane(ScriptedEngines(a=[STREAM, asyncio.Event()]), queue={"max_requests": 1})
        tasks = [await started(answer(it, name)) for name in ("running", "waiting")]

        with pytest.raises(QueueFull):
            await answer(it, "refused")
        assert (it.running, it.depth) == (1, 1)
        for task in tasks:
            task.cancel()

    asyncio.run(scenario())
