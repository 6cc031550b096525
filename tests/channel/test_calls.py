import asyncio
from contextlib import aclosing, suppress

import pytest

from serve_app.channel.wire import Cancel, Credit, Load
from serve_app.engine.protocol import Frame
from serve_app.errors import (
    EngineDead,
    EngineError,
    EngineOverloaded,
    PromptTooLong,
    RequestError,
)
from tests.channel.scripted import LAST, STREAM, ScriptedReplica, a_call, answer, ends, until


async def collected(items_of_call):
    """All items of a call, however they came together."""
    return [item async for items in items_of_call for item in items]


def test_items_arrive_in_order_as_the_engine_made_them(run):
    frames = [Frame(b"%d" % k, choice=k % 2, token_ids=(k,)) for k in range(200)]
    script = [STREAM, *frames, LAST]

    async def work():
        async with ends(ScriptedReplica(one=script)) as both:
            return await collected(both.channel.call(a_call("one")))

    assert run(work()) == script


def test_a_replica_hears_the_call_as_it_was_sent(run):
    heard = []

    class Listening(ScriptedReplica):
        def generate(self, call):
            heard.append(call)
            return super().generate(call)

    async def work():
        async with ends(Listening(one=answer())) as both:
            await collected(both.channel.call(sent))

    sent = a_call("one", sequences=3, body=bytes(range(256)) * 5000)
    run(work())
    assert heard == [sent]


def test_frames_that_are_ready_in_one_turn_travel_in_one_message(run):
    async def work():
        step, end = asyncio.Event(), asyncio.Event()
        names = [f"c{k}" for k in range(50)]
        scripts = {name: [STREAM, step, Frame(name.encode()), end, LAST] for name in names}
        async with ends(ScriptedReplica(**scripts)) as both:
            calls = [both.channel.call(a_call(name)) for name in names]
            for call in calls:
                assert await anext(call) == [STREAM]
            messages = counted(both.channel)
            step.set()
            heard = [(await anext(call))[0].data.decode() for call in calls]
            end.set()
            assert [await collected(call) for call in calls] == [[LAST]] * len(names)
            return heard == names, len(messages)

    assert run(work()) == (True, 2)  # one for the step, one for the end


def counted(channel):
    """Messages that `channel` hears from now on."""
    messages, hear = [], channel._hear

    def hear_and_count(message):
        messages.append(message)
        hear(message)

    channel._hear = hear_and_count
    return messages


def test_what_is_ready_leaves_in_the_next_turn_of_the_loop(run):
    async def work():
        unsent = []

        class Looking(ScriptedReplica):
            async def generate(self, call):
                async for item in super().generate(call):
                    yield item
                    await asyncio.sleep(0)
                    unsent.append(list(both.connection._batch))

        async with ends(Looking(one=answer(b"first", b"second"))) as both:
            await both.answer("one")
        return unsent

    assert run(work()) == [[], [], [], []]


def test_a_first_frame_waits_for_no_other(run):
    async def work():
        replica = ScriptedReplica(one=[STREAM, Frame(b"first"), asyncio.Event()])
        async with ends(replica) as both, aclosing(both.channel.call(a_call("one"))) as items:
            return await anext(items)

    assert run(work()) == [STREAM, Frame(b"first")]


def test_leaving_a_call_early_closes_it_in_the_engine(run):
    async def work():
        replica = ScriptedReplica(one=[STREAM, asyncio.Event()], two=answer(b"two"))
        async with ends(replica) as both:
            async with aclosing(both.channel.call(a_call("one"))) as items:
                assert await anext(items) == [STREAM]
                assert both.server.running == {"here": Load(1)}
            await until(lambda: replica.ended == ["one"])
            assert both.channel._readings == {}
            assert await both.answer("two") == b"two"

    run(work())


def test_a_client_that_leaves_before_the_first_item_closes_the_call(run):
    async def work():
        replica = ScriptedReplica(one=[asyncio.Event()])
        async with ends(replica) as both:
            reading = asyncio.create_task(collected(both.channel.call(a_call("one"))))
            await until(lambda: replica.called == ["one"])
            reading.cancel()
            await until(lambda: replica.ended == ["one"] and not both.channel._readings)

    run(work())


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(PromptTooLong("the prompt has 9 tokens; 8 fit", param="n"), id="a rejection"),
        pytest.param(EngineOverloaded("8 wait", retry_after_s=2.5), id="when to come back"),
        pytest.param(EngineDead("the engine is dead"), id="a dead engine"),
    ],
)
@pytest.mark.parametrize("before", [[], [STREAM, Frame(b"a")]], ids=["at once", "in the middle"])
def test_what_the_engine_raises_is_raised_to_the_client(run, error, before):
    arrived, raised = run(failure(*before, error))
    assert arrived == before
    assert type(raised) is type(error)
    assert vars(raised) == vars(error)


async def failure(*script):
    """What arrived of a call, and what it raised."""
    arrived = []

    async def read(channel):
        async for items in channel.call(a_call("one")):
            arrived.extend(items)

    async with ends(ScriptedReplica(one=script)) as both:
        with pytest.raises(RequestError) as raised:
            await read(both.channel)
    return arrived, raised.value


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RuntimeError("the token sk-1234"), id="a bug"),
        pytest.param(asyncio.CancelledError("the token sk-1234"), id="its own task was cancelled"),
        pytest.param(TimeoutError("the token sk-1234"), id="a time limit of its own"),
    ],
)
def test_any_other_exception_is_an_engine_error_that_shows_nothing_of_it(run, error):
    _, raised = run(failure(STREAM, error))
    assert type(raised) is EngineError
    assert "sk-1234" not in raised.message
    assert "log" in raised.message


@pytest.mark.parametrize("script", [[], [STREAM], [STREAM, Frame(b"a")]], ids=len)
def test_an_answer_that_stops_without_its_last_frame_is_an_engine_error(run, script):
    arrived, raised = run(failure(*script))
    assert arrived == script
    assert type(raised) is EngineError
    assert "stopped in the middle" in raised.message


def test_orders_for_a_call_that_has_ended_are_ignored(run):
    async def work():
        async with ends(ScriptedReplica(one=answer(b"one"), two=answer(b"two"))) as both:
            assert await both.answer("one") == b"one"
            for order in (Cancel(0), Credit(0, 5), Cancel(99), Credit(99, 5)):
                both.channel._send(order)
            assert await both.answer("two") == b"two"

    run(work())


def test_a_beat_tells_depth_and_hears_load(run):
    async def work():
        replica = ScriptedReplica()
        async with ends(replica) as both:
            reports = await asyncio.gather(
                *(both.channel.beat((k, 0, 0), 10 * k, 0.5 * k) for k in range(3))
            )
            assert both.channel._beats == {}
        assert [
            (beat.waiting[0], beat.waiting_tokens, beat.arriving_tokens_per_s)
            for beat in replica.beats
        ] == [(0, 0, 0.0), (1, 10, 0.5), (2, 20, 1.0)]
        return [report.replica for report in reports]

    assert run(work()) == ["r", "r", "r"]


def test_cpu_time_is_told_for_what_arrives(run):
    spent = []

    async def work():
        async with ends(ScriptedReplica(one=answer(b"one")), spend=spent.append) as both:
            before = len(spent)
            await both.answer("one")
            return len(spent) - before

    assert run(work()) >= 1
    assert min(spent) >= 0.0


def test_only_answers_that_came_to_their_end_say_how_long_a_token_takes(run):
    async def work():
        never = asyncio.Event()
        replica = ScriptedReplica(
            whole=answer(), broken=[STREAM, EngineError("no")], left=[STREAM, never]
        )
        async with ends(replica) as both:
            for name in ("broken", "left"):
                with suppress(EngineError):
                    async with aclosing(both.channel.call(a_call(name))) as items:
                        async for _ in items:
                            break
            await until(lambda: len(replica.ended) == 2)
            before = both.server.slot_time.token_s
            await collected(both.channel.call(a_call("whole")))
            return before, both.server.slot_time.token_s

    before, after = run(work())
    assert before == 0.0 < after
