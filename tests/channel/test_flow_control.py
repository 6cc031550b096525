import asyncio
import itertools
import random
from contextlib import aclosing

from serve_app.channel.replica_end import LARGEST_BATCH
from serve_app.channel.wire import LARGEST_PIECE, WINDOW_BYTES
from serve_app.engine.protocol import Frame
from tests.channel.scripted import LAST, STREAM, ScriptedReplica, a_call, answer, ends, until

SIZE = 1000
ENDLESS = itertools.chain([STREAM], itertools.repeat(Frame(bytes(SIZE))))


def is_held(connection):
    """Whether a call of `connection` waits for its client."""
    return any(answering.window <= 0 for answering in connection._calls.values())


def test_a_client_that_takes_nothing_holds_the_engine_at_its_window_and_nobody_else(run):
    async def work():
        parts = [b"%d," % k * SIZE for k in range(300)]
        replica = ScriptedReplica(slow=iter(ENDLESS), quick=answer(*parts))
        async with ends(replica) as both, aclosing(both.channel.call(a_call("slow"))) as slow:
            await anext(slow)
            await until(lambda: is_held(both.connection))
            held = replica.said["slow"]
            assert await both.answer("quick") == b"".join(parts)
            assert (await both.channel.beat((0, 0, 0), 0)).replica == "r"
            assert replica.said["slow"] == held
            return held

    assert WINDOW_BYTES <= run(work()) < WINDOW_BYTES + 2 * SIZE


def test_a_client_that_leaves_a_call_that_is_held_closes_it(run):
    async def work():
        replica = ScriptedReplica(slow=iter(ENDLESS))
        async with ends(replica) as both:
            async with aclosing(both.channel.call(a_call("slow"))) as slow:
                await anext(slow)
                await until(lambda: is_held(both.connection))
            await until(lambda: replica.ended == ["slow"])

    run(work())


def test_reading_on_moves_the_engine_on_and_nothing_is_lost(run):
    parts = [bytes([k]) * SIZE for k in range(200)]

    async def work():
        async with ends(ScriptedReplica(slow=answer(*parts))) as both:
            slow = both.channel.call(a_call("slow"))
            taken = list(await anext(slow))
            for _ in range(2):
                await until(lambda: is_held(both.connection))
                taken += await anext(slow)
            async for items in slow:
                taken += items
            return taken

    assert run(work()) == [STREAM, *(Frame(part) for part in parts), LAST]


def test_a_frame_of_10_megabytes_arrives_whole_and_lets_others_pass(run):
    data = random.Random(0).randbytes(10_000_000)
    whole = Frame(data, token_ids=(1, 2, 3), finished=True)

    async def work():
        replica = ScriptedReplica(large=[STREAM, whole], small=answer(b"small"))
        async with ends(replica) as both, aclosing(both.channel.call(a_call("large"))) as large:
            taken = list(await anext(large))
            await until(lambda: is_held(both.connection))
            assert await both.answer("small") == b"small"
            async for items in large:
                taken += items
            return taken

    _, *pieces = run(work())
    assert b"".join(piece.data for piece in pieces) == data
    assert max(len(piece.data) for piece in pieces) == LARGEST_PIECE
    assert [piece.token_ids for piece in pieces if piece.token_ids] == [(1, 2, 3)]
    assert [piece.finished for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_short_answer_needs_no_credit(run):
    async def work():
        async with ends(ScriptedReplica(one=answer(bytes(WINDOW_BYTES // 2 - 1)))) as both:
            sent, send = [], both.channel._send
            both.channel._send = lambda message: (sent.append(message), send(message))
            await both.answer("one")
            return len(sent)

    assert run(work()) == 1  # the call itself


def test_a_gateway_that_reads_nothing_bounds_what_its_replica_holds_for_it(run):
    names = [f"c{k}" for k in range(300)]
    data = bytes(WINDOW_BYTES - 1)  # 20 MB in all, more than the sockets take

    async def work():
        step = asyncio.Event()
        script = [STREAM, step, *answer(data)[1:]]
        async with ends(ScriptedReplica(**dict.fromkeys(names, script))) as both:
            calls = [both.channel.call(a_call(name)) for name in names]
            for call in calls:
                await anext(call)
            both.channel._transport.pause_reading()
            step.set()
            await until(lambda: both.connection._is_full)
            await until(lambda: not both.connection._batch)
            unsent = both.connection._transport.get_write_buffer_size()
            both.channel._transport.resume_reading()
            for call in calls:
                items = [item async for items in call for item in items]
                assert items == [Frame(data), LAST]
            return unsent

    assert 0 < run(work()) < 2 * LARGEST_BATCH
