"""A thousand calls at once, on a replica that answers each with its own name and a counter."""

import asyncio
import gc
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

from serve_app.channel.gateway_end import connect
from serve_app.channel.replica_end import ChannelServer
from serve_app.engine.protocol import Call, Frame, Head, Usage
from tests.channel.scripted import HOST, STREAM, a_call, until
from tests.serving import scripted

STREAMS = 1000
LEAVE = 0.3  # the share of readers that leave early


def frames_of(name):
    """What the echo says to `name`, the same every time; one answer in 20 is of many windows."""
    dice = random.Random(name)
    largest = 20_000 if dice.random() < 0.05 else 50
    count = dice.randrange(1, 60)
    for k in range(count):
        data = b"%s:%d;" % (name.encode(), k) * dice.randrange(1, largest // 10)
        yield Frame(data, token_ids=(k,), finished=k == count - 1, usage=Usage(1, 0, k))


class Echo:
    """A replica that lets others run at random between its frames."""

    def __init__(self) -> None:
        self.open = 0

    async def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        dice = random.Random(call.request_id)
        self.open += 1
        try:
            yield STREAM
            for frame in frames_of(call.request_id):
                for _ in range(dice.randrange(3)):
                    await asyncio.sleep(0)
                yield frame
        finally:
            self.open -= 1

    def report(self, gateway, beat):
        return scripted.report(gateway)


async def read(channel, name, *, frames):
    """At most so many frames of an answer; whether they are what was said, and how many."""
    expected, count = frames_of(name), 0
    async with aclosing(channel.call(a_call(name))) as items_of_call:
        async for items in items_of_call:
            for item in items:
                if isinstance(item, Frame):
                    assert item == next(expected), f"{name} heard another's frame, or out of order"
                    count += 1
            if count >= frames:
                return "left"
    assert next(expected, None) is None, f"{name} lost its end"
    return "whole"


@asynccontextmanager
async def two_gateways(replica):
    """Two channels to `replica`; what is left of their calls is an error."""
    server = ChannelServer(replica)
    port = await server.start(HOST)
    channels = [await connect(HOST, port, server.secret, gateway=name) for name in "ab"]
    yield channels
    await until(lambda: not server.running)
    assert all(not channel._readings and not channel._beats for channel in channels)
    assert all(not connection._calls for connection in server._connections)
    assert all(not connection._batch for connection in server._connections)
    await asyncio.wait_for(server.drain(), timeout=1)
    server.close()
    await until(lambda: not server._connections)


async def rush(channels, dice):
    """All streams at once, and beats between them; the outcomes of the readers."""
    reads = []
    for k in range(STREAMS):
        frames = dice.randrange(0, 20) if dice.random() < LEAVE else 1_000_000
        reads.append(read(channels[k % 2], f"call{k}", frames=frames))
    beats = [channels[k % 2].beat((k, 0, 0), k) for k in range(20)]
    outcomes = await asyncio.gather(*reads)
    assert [report.replica for report in await asyncio.gather(*beats)] == list("ab") * 10
    return outcomes


def test_a_thousand_streams_reach_their_own_readers_whole_while_others_leave(run):
    async def work():
        replica = Echo()
        async with two_gateways(replica) as channels:
            outcomes = await rush(channels, random.Random(1))
        assert replica.open == 0
        return outcomes

    outcomes = run(work())
    assert len(outcomes) == STREAMS
    assert 0.5 * LEAVE * STREAMS < outcomes.count("left") < LEAVE * STREAMS * 1.2


def test_nothing_in_memory_is_left_of_a_thousand_streams(run):
    async def work():
        async with two_gateways(Echo()) as channels:
            await rush(channels, random.Random(1))
            gc.collect()
            before = sys.getallocatedblocks()
            await rush(channels, random.Random(2))
            gc.collect()
            return sys.getallocatedblocks() - before

    left = run(work())
    assert left < STREAMS / 10  # blocks of memory; one for each stream would be ten times that
