import asyncio
import json
import multiprocessing

import pytest

from serve_app.config import Simulated
from serve_app.engine.protocol import Call
from serve_app.engine.simulated import SimulatedEngine
from serve_app.errors import EngineDead, EngineError, EngineHung


def on_engine(work, *, hang_timeout_s=60.0, faults=True):
    """Run `work(engine)` on a started engine, and stop the engine after it."""

    async def main():
        knobs = Simulated(decode_step_s=0, decode_step_per_seq_s=0, faults=faults)
        engine = SimulatedEngine(knobs, names=("sim",), hang_timeout_s=hang_timeout_s)
        await engine.start()
        try:
            return await asyncio.wait_for(work(engine), timeout=10)
        finally:
            await engine.shutdown()

    return asyncio.run(main())


def chat(prompt, **fields):
    body = {"messages": [{"role": "user", "content": prompt}], "stream": True, **fields}
    return Call("id", "/v1/chat/completions", json.dumps(body).encode())


async def answer(engine, request):
    return [item async for item in engine.generate(request)]


async def trouble(engine, marker):
    """Send a marked prompt while another stream runs; returns that stream, and the marked one."""
    bystander = engine.generate(chat("one two", max_tokens=500))
    await anext(bystander)
    return bystander, asyncio.ensure_future(answer(engine, chat(f"simulate: {marker}")))


def test_told_to_die_it_takes_every_stream_with_it():
    async def work(engine):
        bystander, marked = await trouble(engine, "die")
        with pytest.raises(EngineDead):
            _ = [item async for item in bystander]
        with pytest.raises(EngineDead):
            await marked
        with pytest.raises(EngineDead):
            engine.check_health()

    on_engine(work)


def test_told_to_hang_it_stops_stepping_until_it_is_shut_down():
    async def work(engine):
        bystander, marked = await trouble(engine, "hang")
        while not engine.stats().waiting:  # noqa: ASYNC110 - the engine announces nothing
            await asyncio.sleep(0)
        with pytest.raises(EngineHung, match="made no step"):
            engine.check_health()
        await engine.shutdown()
        with pytest.raises(EngineDead):
            _ = [item async for item in bystander]
        with pytest.raises(EngineDead):
            await marked

    on_engine(work, faults=True, hang_timeout_s=0.0)


def test_told_to_stall_only_that_request_gets_nothing():
    async def work(engine):
        bystander, marked = await trouble(engine, "stall")
        *_, last = [item async for item in bystander]
        assert last.finished
        assert not marked.done()
        engine.check_health()
        marked.cancel()
        await asyncio.wait([marked])
        return engine.stats()

    assert on_engine(work).running == 0


def test_told_to_fail_only_that_request_fails():
    async def work(engine):
        bystander, marked = await trouble(engine, "fail")
        with pytest.raises(EngineError, match="as the prompt asked"):
            await marked
        head, error = await answer(engine, chat("simulate: fail 400"))
        *_, last = [item async for item in bystander]
        return head.status, error.finished, last.finished

    assert on_engine(work) == (400, True, True)


def test_told_to_exit_it_ends_its_process():
    def main():
        on_engine(lambda engine: answer(engine, chat("simulate: exit")))

    process = multiprocessing.get_context("fork").Process(target=main)
    process.start()
    process.join()
    assert process.exitcode == 1


def test_without_faults_a_marker_is_text_like_any_other():
    *_, last = on_engine(lambda engine: answer(engine, chat("simulate: die")), faults=False)
    assert last.finished
