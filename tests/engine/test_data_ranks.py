"""Two data ranks in one engine: real vLLM on this CPU, each rank a process with its own cache."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
import yaml

from serve_app.config import EngineArgs
from serve_app.engine.protocol import Frame, Head
from serve_app.engine.vllm import VllmEngine
from serve_app.errors import EngineDead, EngineHung
from serve_app.models import resolve
from tests.engine.test_vllm import call, until
from tests.ray.serve_run import DEPLOYMENTS

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("smollm2")]

Answer = AsyncGenerator[Head | Frame, None]


class Live:
    """deployments/local.yaml with two data ranks, loaded, and its event loop."""

    def __init__(self) -> None:
        [application, _] = yaml.safe_load((DEPLOYMENTS / "local.yaml").read_text())["applications"]
        application["args"]["vllm"] |= {"data_parallel_size": 2}
        args = EngineArgs.model_validate(application["args"] | {"warm_up": False})
        self.engine = VllmEngine(args, model_path=str(resolve(args.model)))
        self.most = args.vllm["max_num_seqs"]
        self.runner = asyncio.Runner()
        self.run = self.runner.run

    async def endless(self) -> Answer:
        """A stream whose first tokens are there."""
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
        answer = self.engine.generate(
            call("/v1/chat/completions", max_tokens=1500, ignore_eos=True, **asked)
        )
        for _ in range(3):
            await anext(answer)
        return answer


@pytest.fixture(scope="module")
def live(smollm2: str, vllm_process: pytest.MonkeyPatch) -> Iterator[Live]:
    for name, value in (("OMP_NUM_THREADS", "1"), ("TORCHDYNAMO_DISABLE", "1")):
        vllm_process.setenv(name, value)
    it = Live()
    it.run(it.engine.start())
    yield it
    it.run(it.engine.shutdown())
    # vLLM's own thread, which saw a rank die, may yet close sockets: by this loop, or without one.
    it.runner.close()


def test_capacity_is_that_of_both(live: Live) -> None:
    config = live.engine._llm.vllm_config
    assert live.engine.capacity.kv_tokens == 2 * config.cache_config.kv_cache_size_tokens
    assert live.engine.capacity.max_num_seqs == 2 * live.most


def test_load_is_the_sum_and_what_one_rank_gave_up_is_gone(live: Live) -> None:
    async def leave() -> None:
        async with aclosing(await live.endless()) as stays:
            async with aclosing(await live.endless()):
                await until(lambda: live.engine.stats().running == 2)
                both = live.engine.stats().kv_usage
            await until(lambda: live.engine.stats().running == 1)
            await anext(stays)
            assert 0 < live.engine.stats().kv_usage < both
        assert live.engine.stats().running == 0

    live.run(leave())


def test_a_rank_that_stands_still_is_seen_beside_one_that_works(live: Live) -> None:
    async def stop_one() -> None:
        async with AsyncExitStack() as streams:
            working = [
                await streams.enter_async_context(aclosing(await live.endless())) for _ in range(2)
            ]
            stopped, _ = cores()
            os.kill(stopped, signal.SIGSTOP)
            reading = [asyncio.ensure_future(drain(one)) for one in working]
            try:
                live.engine.hang_timeout_s = 0.5
                await until(lambda: live.engine.stats().step_age_s > 0.6)
                with pytest.raises(EngineHung, match="no step for"):
                    live.engine.check_health()
                assert sum(task.done() for task in reading) == 0
            finally:
                os.kill(stopped, signal.SIGCONT)
                live.engine.hang_timeout_s = 60.0
                for task in reading:
                    task.cancel()
                await asyncio.wait(reading)

    live.run(stop_one())


def test_a_dead_rank_is_a_dead_engine(live: Live) -> None:
    """Last of all: nothing runs after it."""

    async def kill_one() -> None:
        _, second = cores()
        os.kill(second, signal.SIGKILL)
        await until(lambda: live.engine._llm.errored)
        with pytest.raises(EngineDead):
            live.engine.check_health()

    live.run(kill_one())


async def drain(answer: Answer) -> None:
    async for _ in answer:
        pass


def cores() -> list[int]:
    """The processes of both ranks, children of this one."""
    listed = subprocess.check_output(["ps", "-eo", "pid=,ppid=,args="], text=True).splitlines()
    rows = [line.split(maxsplit=2) for line in listed]
    mine = sorted(
        (args, int(pid))
        for pid, ppid, args in rows
        if "EngineCore_DP" in args and ppid == str(os.getpid())
    )
    return [pid for _, pid in mine]
