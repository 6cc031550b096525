"""A lane's permit: however a request ends, its slot is free and the next one runs."""

import asyncio

import msgspec
import pytest

from serve_app.channel.wire import Load
from serve_app.core.admission import Asked, Used
from serve_app.core.dispatch import Place
from serve_app.core.pace import Timings
from serve_app.core.tenant import Identity, Priority, Tenant
from serve_app.engine.protocol import Frame, Head
from serve_app.errors import DeadlineExceeded, EngineError, QueueFull, ReplicaLost
from serve_app.serving.lane import Lane
from tests.serving.admitted import CALL, LOST, admitted, answer, started
from tests.serving.scripted import LAST, STREAM, ManualClock, ScriptedEngines, lane, report


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


def test_a_replica_lost_long_after_the_deadline_of_a_wait_is_replaced_all_the_same() -> None:
    async def scenario() -> list[Head | Frame]:
        clock, dies = ManualClock(), asyncio.Event()
        it = lane(ScriptedEngines(a=[STREAM, LAST], b=[dies, LOST]), clock=clock)
        running = await started(answer(it, timeout_s=2.0))
        clock.now = 50.0
        dies.set()
        return await running

    assert asyncio.run(scenario()) == [STREAM, LAST]


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


def test_its_place_is_told_once_when_it_begins_to_wait() -> None:
    async def scenario() -> list[Place]:
        places: list[Place] = []
        it = lane(ScriptedEngines(a=[LOST], b=[STREAM, asyncio.Event()]))
        running = [await started(answer(it, "one")), await started(answer(it, "two"))]
        last = await started(_placed(it, "three", places))
        for task in (*running, last):
            task.cancel()
        return places

    assert [place.position for place in asyncio.run(scenario())] == [1]


async def _placed(it: Lane, name: str, places: list[Place]) -> None:
    async for _ in it.answer(CALL, await admitted(it, name), places.append):
        pass


def test_an_answer_that_outgrows_its_forecast_takes_more_of_the_cache() -> None:
    async def scenario() -> tuple[int, int]:
        pause, never = asyncio.Event(), asyncio.Event()
        long = Frame(b"x", token_ids=(1,) * 700)
        it = lane(ScriptedEngines(a=[STREAM, pause, long, never]))
        running = await started(answer(it, max_tokens=None))
        before = it.replicas[0].reserved_tokens
        pause.set()
        await started(asyncio.sleep(0))
        after = it.replicas[0].reserved_tokens
        running.cancel()
        return before, after

    before, after = asyncio.run(scenario())
    assert before == 100  # less than slots.expected_output_tokens: max_model_len
    assert after > 700


def test_answers_teach_the_forecast() -> None:
    it = lane(ScriptedEngines(a=[LAST]))

    async def learn() -> int:
        for number in range(2000):
            permit = await admitted(it, f"r{number}", max_tokens=None)
            it.settle(permit, Used(10, 0, 100), is_complete=True)
        return (await admitted(it, max_tokens=None)).request.output_tokens

    assert asyncio.run(learn()) == pytest.approx(100, rel=0.1)


def test_a_request_takes_its_tenants_weight_and_no_more_than_its_priority() -> None:
    it = lane(ScriptedEngines(a=[LAST]))
    request = asyncio.run(admitted(it, priority=Priority.HIGH)).request

    assert (request.tenant, request.weight, request.priority) == ("somebody", 2.0, Priority.HIGH)
    modest = Identity(Tenant("modest"))
    asked = Asked("r", 1, 1, 1, priority=Priority.HIGH)
    assert asyncio.run(it.admit(asked, modest)).request.priority is Priority.NORMAL


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

    assert asyncio.run(admitted(it, timeout_s=900.0)).request.deadline_at == 5.0


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


def test_a_gateway_learns_from_reports_what_its_replicas_carry() -> None:
    """A token takes 10 ms alone and 1 ms more for each beside it: ten are in time."""
    clock = ManualClock()
    it = lane(ScriptedEngines(a=[], b=[]), slots=50, clock=clock)
    assert [replica.carries for replica in it.replicas] == pytest.approx([50.0, 50.0])
    busy = Timings(slow_tpot_s=0.015, alone_tpot_s=0.010)
    reports = [
        msgspec.structs.replace(
            report(name, slots=50), running={"elsewhere": Load(sequences=5)}, timings=busy
        )
        for name in "ab"
    ]
    for _ in range(3):
        clock.now += 0.5
        it.hear(reports, in_service={"a", "b"})
    assert [replica.carries for replica in it.replicas] == pytest.approx([10.0, 10.0])
