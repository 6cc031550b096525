"""Requests for a model that nobody serves yet: held while a replica is coming, else told."""

import asyncio

import pytest

from serve_app.errors import DeadlineExceeded, NoReplica
from serve_app.serving.standing import Absence
from tests.serving.admitted import answer, started
from tests.serving.scripted import LAST, STREAM, ManualClock, ScriptedEngines, lane, report


def test_a_request_is_held_while_a_replica_is_coming_and_served_when_it_is_there() -> None:
    async def scenario() -> None:
        it = lane(ScriptedEngines())
        waiting = await started(answer(it))
        assert it.depth == 1

        it.hear_nothing(Absence("it to load"))
        assert it.depth == 1

        it._engines = ScriptedEngines(a=[STREAM, LAST])
        it.hear([report("a")], in_service={"a"})
        assert await waiting == [STREAM, LAST]

    asyncio.run(scenario())


def test_when_no_replica_is_coming_it_says_what_it_waits_for_to_who_waits_and_who_comes() -> None:
    async def scenario() -> None:
        it = lane(ScriptedEngines())
        waiting = await started(answer(it))
        it.hear_nothing(Absence("application 'app', which failed", is_coming=False))

        with pytest.raises(NoReplica, match="waiting for application 'app', which failed"):
            await waiting
        with pytest.raises(NoReplica):
            await answer(it)
        assert it.depth == 0

    asyncio.run(scenario())


def test_a_held_request_that_nobody_came_for_says_so_at_its_deadline() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        it = lane(ScriptedEngines(), clock=clock)
        waiting = await started(answer(it, timeout_s=3.0))
        clock.now = 3.0
        it.hear_nothing(Absence("the model to load"))

        with pytest.raises(DeadlineExceeded, match=r"waited 3\.0 s for the model to load"):
            await waiting

    asyncio.run(scenario())
