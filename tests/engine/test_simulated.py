import asyncio
import json
import time
from contextlib import aclosing

import pytest

from serve_app.config import Simulated
from serve_app.engine.protocol import Call, Capacity, EngineStats, Frame, Head
from serve_app.engine.simulated import SimulatedEngine
from serve_app.engine.simulated_text import detokenize
from serve_app.errors import EngineDead

FAST = {"decode_step_s": 0.0, "decode_step_per_seq_s": 0.0, "prefill_tokens_per_s": 1e9}


def on_engine(work, **knobs):
    """Run `work(engine)` on a started engine, and stop the engine after it."""

    async def main():
        engine = SimulatedEngine(Simulated(**(FAST | knobs)), names=("sim",))
        await engine.start()
        try:
            return await asyncio.wait_for(work(engine), timeout=10)
        finally:
            await engine.shutdown()

    return asyncio.run(main())


def call(prompt, *, stream=True, **fields):
    body = {"messages": [{"role": "user", "content": prompt}], "stream": stream, **fields}
    return Call("id", "/v1/chat/completions", json.dumps(body).encode())


async def answer(engine, request):
    return [item async for item in engine.generate(request)]


async def text(engine, request):
    _, *frames = await answer(engine, request)
    return detokenize(token for frame in frames for token in frame.token_ids)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the engine announces nothing
        await asyncio.sleep(0)


async def first_frame(items):
    async for item in items:
        if isinstance(item, Frame):
            return item
    return None


def test_a_stream_is_a_head_and_one_frame_per_token():
    head, *frames = on_engine(lambda engine: answer(engine, call("one two", max_tokens=4)))
    assert (head.status, head.headers[0][0]) == (200, b"content-type")
    assert [detokenize(frame.token_ids) for frame in frames] == ["one", " two", " one", " two"]
    assert [frame.finished for frame in frames] == [False, False, False, True]
    assert [frame.usage is None for frame in frames] == [True, True, True, False]
    assert frames[-1].usage.output_tokens == 4


def test_a_document_is_a_head_and_one_frame_with_all_tokens_of_each_choice():
    request = call("one two", stream=False, max_tokens=2, n=2)
    head, *frames = on_engine(lambda engine: answer(engine, request))
    assert isinstance(head, Head)
    assert [(f.choice, detokenize(f.token_ids), f.finished) for f in frames] == [
        (0, "one two", False),
        (1, " two one", True),
    ]
    assert frames[0].data == b""
    assert json.loads(frames[1].data)["usage"]["completion_tokens"] == frames[1].usage.output_tokens


def test_the_same_prompt_seed_and_choice_get_the_same_text():
    async def work(engine):
        return [await text(engine, call("one two", seed=seed, max_tokens=3)) for seed in (1, 1, 2)]

    first, again, other = on_engine(work)
    assert first == again == " two one two"
    assert other == "one two one"


def test_everyone_gets_their_own_answer():
    async def work(engine):
        requests = [call(f"mine {k}", max_tokens=2) for k in range(40)]
        return await asyncio.gather(*(text(engine, request) for request in requests))

    assert on_engine(work, max_num_seqs=7) == [f"mine {k}"[:8] for k in range(40)]


def test_a_reader_that_falls_behind_gets_more_tokens_per_frame_and_loses_none():
    async def work(engine):
        async with aclosing(engine.generate(call("one two", max_tokens=50))) as items:
            frames = [await first_frame(items)]
            await until(lambda: not engine.stats().running)
            return [*frames, *[item async for item in items]]

    first, rest = on_engine(work)
    assert (len(first.token_ids), len(rest.token_ids)) == (1, 49)
    assert rest.finished


def test_tokens_come_at_the_pace_of_the_batch():
    async def work(engine):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await answer(engine, call("one two", max_tokens=11))
        return loop.time() - started

    assert on_engine(work, decode_step_s=0.002) >= 10 * 0.002


def test_the_next_turn_of_a_conversation_finds_the_last_one_in_the_prefix_cache():
    async def work(engine):
        question = {"role": "user", "content": "one two three four"}
        request = call("", messages=[question], max_tokens=20)
        reply = {"role": "assistant", "content": await text(engine, request)}
        request = call("", messages=[question, reply, question], max_tokens=1)
        usage = (await answer(engine, request))[-1].usage
        return usage.cached_tokens / usage.prompt_tokens, engine.stats().prefix_hit_rate

    cached, hit_rate = on_engine(work, block_tokens=1)
    assert cached > 0.6
    assert 0 < hit_rate < cached


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", ["close", "cancel"])
def test_a_reader_that_leaves_frees_its_memory_at_once(how, stream):
    async def leave(engine):
        items = engine.generate(call("one two", max_tokens=5000, stream=stream))
        reader = asyncio.ensure_future(anext(items))
        await until(lambda: engine.stats().running)
        during = engine.stats()
        if how == "cancel" or not stream:
            reader.cancel()
            await asyncio.wait([reader])
        await items.aclose()
        return during, engine.stats()

    during, after = on_engine(leave, decode_step_s=0.001, decode_step_per_seq_s=0.0)
    assert during.running == 1
    assert during.kv_usage > 0
    assert (after.running, after.waiting, after.kv_usage) == (0, 0, 0.0)


def test_two_hundred_readers_that_leave_leave_nothing_behind():
    async def work(engine):
        for k in range(200):
            async with aclosing(engine.generate(call(f"{k} one", n=2))) as items:
                await first_frame(items)
        return engine.stats(), len(engine._streams), await text(engine, call("one", max_tokens=1))

    stats, streams, said = on_engine(work)
    assert (stats.running, stats.waiting, stats.kv_usage, streams) == (0, 0, 0.0, 0)
    assert said == "one"


def test_it_says_what_it_holds():
    async def work(engine):
        return engine.capacity, engine.model, engine.stats()

    capacity, model, stats = on_engine(work, kv_tokens=1000, max_num_seqs=3)
    assert capacity == Capacity(
        kv_tokens=992, max_num_seqs=3, max_model_len=992, max_num_batched_tokens=2048
    )
    assert model.names == ("sim",)
    assert "/v1/chat/completions" in model.routes
    assert stats == EngineStats()


def test_before_the_start_and_after_the_end_it_is_dead():
    async def main():
        engine = SimulatedEngine(Simulated(), names=("sim",))
        with pytest.raises(EngineDead):
            engine.check_health()
        await engine.start()
        engine.check_health()
        await engine.shutdown()
        with pytest.raises(EngineDead):
            await answer(engine, call("one"))

    asyncio.run(main())


def test_its_pace_says_how_fast_it_decodes_and_whether_it_reads():
    async def work(engine):
        await answer(engine, call("one two", max_tokens=100))
        return engine.pace.timings(slowdown=2.0, now=time.monotonic())

    timings = on_engine(work, decode_step_s=0.01, prefill_tokens_per_s=100.0)
    assert timings.tpot_s == pytest.approx(0.01)
    assert timings.alone_tpot_s == pytest.approx(0.01)
    assert 0 < timings.reading < 0.1
    assert 0.009 < timings.slow_tpot_s < 0.02
    assert timings.answers_per_s == pytest.approx(1 / 30)
