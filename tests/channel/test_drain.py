import asyncio
from contextlib import aclosing

import pytest

from serve_app.channel.gateway_end import connect
from serve_app.channel.wire import Load
from serve_app.engine.protocol import Frame
from serve_app.errors import ReplicaLost
from tests.channel.scripted import (
    HOST,
    LAST,
    STREAM,
    ScriptedReplica,
    a_call,
    answer,
    ends,
    until,
)


def test_draining_waits_for_the_call_that_runs_and_refuses_new_ones(run):
    async def work():
        end = asyncio.Event()
        replica = ScriptedReplica(one=[STREAM, end, LAST], late=answer(b"late"))
        async with ends(replica) as both:
            running = both.channel.call(a_call("one"))
            await anext(running)
            draining = asyncio.create_task(both.server.drain())
            await until(lambda: both.server.is_draining)
            with pytest.raises(ReplicaLost, match="being replaced"):
                await both.answer("late")
            assert not draining.done()
            end.set()
            assert [items async for items in running] == [[LAST]]
            await draining
        assert replica.called == ["one"]

    run(work())


def test_draining_an_idle_replica_ends_at_once(run):
    async def work():
        async with ends(ScriptedReplica(one=answer(b"one"))) as both:
            await both.answer("one")
            draining = both.server.drain()
            with pytest.raises(StopIteration):
                draining.send(None)  # it waits for nothing

    run(work())


def test_draining_ends_when_the_last_client_has_left(run):
    async def work():
        async with ends(ScriptedReplica(one=[STREAM, asyncio.Event()])) as both:
            async with aclosing(both.channel.call(a_call("one"))) as items:
                await anext(items)
                draining = asyncio.create_task(both.server.drain())
            await draining

    run(work())


def test_closing_after_draining_loses_nothing_that_was_said(run):
    data = bytes(200_000)  # a piece; many of them are more than the sockets hold

    async def work():
        names = [f"c{k}" for k in range(60)]
        end = asyncio.Event()
        replica = ScriptedReplica(**{n: [STREAM, end, Frame(data, finished=True)] for n in names})
        async with ends(replica) as both:
            calls = [both.channel.call(a_call(name)) for name in names]
            for call in calls:
                await anext(call)
            both.channel._transport.pause_reading()
            end.set()
            await until(lambda: both.connection._is_full)
            both.channel._transport.resume_reading()
            await both.server.drain()
            both.server.close()
            return [[items async for items in call] for call in calls]

    assert run(work()) == [[[Frame(data, finished=True)]]] * 60


def test_running_counts_the_sequences_of_each_gateway(run):
    async def work():
        end = asyncio.Event()
        names = ("a", "b", "c", "d")
        replica = ScriptedReplica(**{name: [STREAM, end, LAST] for name in names})
        async with ends(replica) as both:
            port = both.server._server.sockets[0].getsockname()[1]
            there = await connect(HOST, port, both.server.secret, gateway="there")
            channels = (both.channel, both.channel, there, both.channel)
            calls = [
                channel.call(a_call(name, sequences=k + 1))
                for k, (name, channel) in enumerate(zip(names, channels, strict=True))
            ]
            for call in calls:
                await anext(call)
            assert both.server.running == {"here": Load(7), "there": Load(3)}
            there.close()
            await until(lambda: both.server.running == {"here": Load(7)})
            await calls[3].aclose()
            await until(lambda: both.server.running == {"here": Load(3)})
            end.set()
            for call in calls[:2]:
                assert [items async for items in call] == [[LAST]]
            await until(lambda: both.server.running == {})
            with pytest.raises(ReplicaLost):
                await anext(calls[2])

    run(work())
