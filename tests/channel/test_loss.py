import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from serve_app.channel.replica_end import ChannelServer
from serve_app.engine.protocol import Frame
from serve_app.errors import ReplicaLost
from serve_app.serving.channels import Address, Channels
from tests.channel.scripted import (
    HOST,
    LAST,
    STREAM,
    ScriptedReplica,
    a_call,
    answer,
    ends,
    stream,
    until,
)

LOSERS = {
    "the gateway's end is closed": lambda both: both.channel.close(),
    "the replica's end is closed": lambda both: both.connection.close(),
    "the replica's server is closed": lambda both: both.server.close(),
}


@pytest.mark.parametrize("lose", LOSERS.values(), ids=LOSERS)
def test_a_lost_connection_ends_its_calls_at_both_ends(run, lose):
    async def work():
        names = ("one", "two", "three")
        replica = ScriptedReplica(**{name: [STREAM, asyncio.Event()] for name in names})
        async with ends(replica) as both:
            calls = [both.channel.call(a_call(name)) for name in names]
            for call in calls:
                await anext(call)
            lose(both)
            for call in calls:
                with pytest.raises(ReplicaLost, match="try again"):
                    await anext(call)
            await until(lambda: both.server.running == {})
            assert sorted(replica.ended) == sorted(names)
            assert both.channel._readings == {}

    run(work())


def test_what_arrived_before_the_loss_is_still_given(run):
    async def work():
        step = asyncio.Event()
        replica = ScriptedReplica(
            cut=[STREAM, step, Frame(b"a"), asyncio.Event()],
            whole=[STREAM, step, Frame(b"a"), LAST],
        )
        async with ends(replica) as both:
            cut, whole = (both.channel.call(a_call(name)) for name in ("cut", "whole"))
            await anext(cut)
            await anext(whole)
            step.set()
            await until(lambda: all(r._items for r in both.channel._readings.values()))
            both.connection.close()
            await until(lambda: not both.channel.is_open)
            assert await anext(cut) == [Frame(b"a")]
            with pytest.raises(ReplicaLost):
                await anext(cut)
            assert [items async for items in whole] == [[Frame(b"a"), LAST]]

    run(work())


def test_a_lost_channel_takes_no_call_and_no_beat(run):
    async def work():
        replica = ScriptedReplica(one=answer(b"one"))
        async with ends(replica) as both:
            both.channel.close()
            with pytest.raises(ReplicaLost):
                await both.answer("one")
            with pytest.raises(ReplicaLost):
                await both.channel.beat((0, 0, 0), 0)
            assert replica.called == []
            assert both.channel._beats == {}

    run(work())


def test_a_beat_that_waits_ends_with_its_connection(run):
    async def work():
        async with ends(ScriptedReplica()) as both:
            both.connection._transport.pause_reading()
            beating = asyncio.create_task(both.channel.beat((0, 0, 0), 0))
            await until(lambda: both.channel._beats)
            both.connection.close()
            with pytest.raises(ReplicaLost):
                await beating
            assert both.channel._beats == {}

    run(work())


@asynccontextmanager
async def reachable(replica):
    """A server for `replica`, and where it is reached."""
    server = ChannelServer(replica)
    yield server, Address(HOST, await server.start(HOST), server.secret)
    server.close()
    await until(lambda: not server._connections)


def free_port():
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        return unused.getsockname()[1]


async def closed(channels):
    """Closes every channel that is open."""
    for replica_id in list(channels.open):
        channels.get(replica_id).close()
    await asyncio.sleep(0)


def test_a_lost_channel_is_opened_again(run):
    async def work():
        channels = Channels("here", spend=lambda _: None)
        async with reachable(ScriptedReplica(one=answer(b"one"))) as (_, address):
            await channels.reach({"r": address})
            first = channels.get("r")
            first.close()
            assert "r" not in channels.open
            await channels.reach({"r": address})
            assert channels.get("r") is not first
            assert [data async for data in stream(channels.get("r"), "one")] == [b"one", b""]
            await channels.reach({"r": address})  # nothing to do
            assert channels.open == {"r"}
            await closed(channels)

    run(work())


def test_a_replica_that_refuses_is_a_problem_until_it_does_not(run):
    async def work():
        channels = Channels("here", spend=lambda _: None)
        nowhere = Address(HOST, free_port(), b"")
        async with reachable(ScriptedReplica()) as (_, address):
            await channels.reach({"gone": nowhere, "r": address})
            assert channels.open == {"r"}
            assert channels.problems.keys() == {"gone"}
            assert f"{HOST}:{nowhere.port} cannot be opened" in channels.problems["gone"]
            assert [r.replica for r in await channels.beat((0, 0, 0), 0, timeout_s=1)] == ["r"]
            await channels.reach({"gone": address, "r": address})
            assert (channels.open, channels.problems) == ({"gone", "r"}, {})
            await closed(channels)

    run(work())


def test_a_replica_that_is_silent_does_not_delay_the_others(run):
    async def work():
        channels = Channels("here", spend=lambda _: None)
        with socket.create_server((HOST, 0)) as silent:
            silent_address = Address(HOST, silent.getsockname()[1], b"")
            async with reachable(ScriptedReplica()) as (_, address):
                addresses = {"silent": silent_address, "r": address}
                reaching = asyncio.create_task(channels.reach(addresses))
                await until(lambda: channels.open == {"r"})
                assert channels._connecting.keys() == {"silent"}
                await reaching  # for QUICK_S at most, and connecting takes 5 s
                assert channels._connecting.keys() == {"silent"}
                silent.close()
                await until(lambda: not channels._connecting)
                assert channels.problems.keys() == {"silent"}
                await closed(channels)

    run(work())


def test_a_replica_that_does_not_answer_is_left_out_of_the_reports(run):
    async def work():
        channels = Channels("here", spend=lambda _: None)
        async with reachable(ScriptedReplica()) as (server, address):
            await channels.reach({"r": address})
            (connection,) = server._connections
            connection._transport.pause_reading()
            assert await channels.beat((0, 0, 0), 0, timeout_s=0.01) == []
            assert channels.get("r")._beats == {}
            connection._transport.resume_reading()
            await closed(channels)

    run(work())
