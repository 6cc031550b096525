"""The adapter over real vLLM on this CPU: bytes and token ids, aborts, load, health."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import yaml

from serve_app.config import EngineArgs
from serve_app.core.pace import WINDOW_S
from serve_app.core.start import PHASES
from serve_app.engine.phases import VARIABLE
from serve_app.engine.protocol import Call, Frame, Head
from serve_app.engine.vllm import JSON_HEADERS, VllmEngine
from serve_app.errors import EngineDead, EngineHung
from serve_app.models import resolve
from tests.conftest import SMOLLM2
from tests.ray.serve_run import DEPLOYMENTS

pytestmark = [pytest.mark.vllm, pytest.mark.usefixtures("smollm2")]

HAIKU = [{"role": "user", "content": "Write a haiku about rain. 🌧"}]


class Live:
    """A loaded engine and the event loop that it lives on."""

    def __init__(self) -> None:
        [application, _] = yaml.safe_load((DEPLOYMENTS / "local.yaml").read_text())["applications"]
        args = EngineArgs.model_validate(application["args"])
        self.engine = VllmEngine(args, model_path=str(resolve(args.model)))
        self.run = asyncio.Runner().run
        self.phases_seen: set[str] = set()

    def start(self) -> None:
        """As in a replica, whose other threads ask what it does while the start blocks it."""
        ended = threading.Event()
        asking = threading.Thread(target=self._ask_for_the_phase, args=(ended,))
        asking.start()
        try:
            self.run(self.engine.start())
        finally:
            ended.set()
            asking.join()

    def _ask_for_the_phase(self, ended: threading.Event) -> None:
        while not ended.wait(0.01):
            self.phases_seen.add(self.engine.phases.phase)

    def ask(self, path: str, **body: Any) -> tuple[Head, list[Frame]]:
        async def read() -> list[Head | Frame]:
            return [item async for item in self.engine.generate(call(path, **body))]

        head, *frames = self.run(read())
        assert isinstance(head, Head)
        return head, frames


def call(path: str, **body: Any) -> Call:
    raw = json.dumps({"model": SMOLLM2, "temperature": 0, **body}).encode()
    return Call("r1", path, raw, headers=JSON_HEADERS)


async def until(condition: Callable[[], object]) -> None:
    """Another process makes it true; there is no event to wait for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def ids(frames: list[Frame], choice: int = 0) -> list[int]:
    return [token for frame in frames if frame.choice == choice for token in frame.token_ids]


@pytest.fixture(scope="module")
def live(smollm2: str, vllm_process: pytest.MonkeyPatch) -> Iterator[Live]:
    for name, value in (("OMP_NUM_THREADS", "1"), ("TORCHDYNAMO_DISABLE", "1")):
        vllm_process.setenv(name, value)
    it = Live()
    it.start()
    yield it
    it.run(it.engine.shutdown())


def test_while_it_loads_it_says_what_its_ranks_do_and_afterwards_what_it_took(live: Live) -> None:
    # No torch.compile here, and no graphs.
    began = ("process", "weights", "memory", "warm_up")
    assert {PHASES[phase] for phase in began} <= live.phases_seen
    took = live.engine.phases.seconds
    assert tuple(took) == began
    assert took["process"] == max(took.values())  # a model of 135 million, and imports
    assert VARIABLE not in os.environ


def test_the_ids_of_a_stream_are_those_that_vllm_itself_names(live: Live) -> None:
    asked = {"messages": HAIKU, "max_tokens": 40}
    _, [whole] = live.ask("/v1/chat/completions", **asked, return_token_ids=True)
    head, frames = live.ask("/v1/chat/completions", **asked, stream=True)

    named = json.loads(whole.data)["choices"][0]["token_ids"]
    assert ids(frames) == list(whole.token_ids) == named
    assert dict(head.headers)[b"content-type"].startswith(b"text/event-stream")


def test_ids_never_come_after_the_bytes_that_they_stand_for(live: Live) -> None:
    _, frames = live.ask("/v1/chat/completions", messages=HAIKU, max_tokens=40, stream=True)
    _, [whole] = live.ask("/detokenize", tokens=ids(frames[:10]))

    texts = [json.loads(line[6:]) for f in frames[:10] for line in f.data.split(b"\n") if line]
    said = "".join(t["choices"][0]["delta"].get("content") or "" for t in texts)
    assert json.loads(whole.data)["prompt"].startswith(said)


def test_the_last_frame_carries_the_usage_and_a_repeated_prompt_is_cached(live: Live) -> None:
    asked = {"messages": [{"role": "user", "content": "word " * 300}], "max_tokens": 3}
    asked["ignore_eos"] = True
    live.ask("/v1/chat/completions", **asked)
    _, frames = live.ask("/v1/chat/completions", **asked, stream=True)

    assert [frame.finished for frame in frames].count(True) == 1
    usage = frames[-1].usage
    assert usage is not None
    assert usage.prompt_tokens > 300
    assert usage.output_tokens == 3
    assert usage.cached_tokens >= 256
    assert live.engine.stats().prefix_hit_rate > 0


def test_its_pace_says_how_fast_it_decodes_and_whether_it_reads(live: Live) -> None:
    live.run(asyncio.sleep(WINDOW_S))
    before = live.engine.pace.timings(slowdown=2.0, now=time.monotonic())
    began = time.monotonic()
    live.ask("/v1/chat/completions", messages=HAIKU, max_tokens=20, ignore_eos=True)
    took_s = time.monotonic() - began
    after = live.engine.pace.timings(slowdown=2.0, now=time.monotonic())

    assert (before.tpot_s, before.reading) == (0.0, 0.0)
    assert took_s / 40 < after.tpot_s <= took_s / 19
    # Of whole buckets, and so not of the last tokens, which may have been faster than all before.
    assert 0 < after.alone_tpot_s < 2 * after.tpot_s
    assert 0 < after.reading < 0.5
    assert after.answers_per_s >= 1 / 30
    assert after.slow_tpot_s > 0


def test_each_choice_of_each_prompt_has_its_own_ids(live: Live) -> None:
    asked = {"prompt": ["One, two,", "Red, green,"], "n": 2, "max_tokens": 6, "temperature": 1}
    _, frames = live.ask("/v1/completions", **asked, seed=3, stream=True, return_token_ids=True)

    chunks = [json.loads(line[6:]) for f in frames for line in f.data.split(b"\n") if b"{" in line]
    for choice in range(4):
        named = [
            token
            for chunk in chunks
            for one in chunk["choices"]
            if one["index"] == choice
            for token in one["token_ids"] or ()
        ]
        assert ids(frames, choice) == named
        assert len(named) == 6


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_aborts_at_once(live: Live, stream: bool) -> None:
    async def leave() -> int:
        endless = call(
            "/v1/chat/completions", messages=HAIKU, max_tokens=1500, ignore_eos=True, stream=stream
        )
        async with aclosing(live.engine.generate(endless)) as items:
            reading = asyncio.ensure_future(anext(items))
            await until(lambda: live.engine.stats().running)
            reading.cancel()
            await asyncio.wait([reading])
        return live.engine.stats().running

    assert live.run(leave()) == 0


def test_a_refusal_of_vllms_comes_out_as_it_is(live: Live) -> None:
    head, [frame] = live.ask("/v1/chat/completions", messages=HAIKU, temperature=-1)

    assert head.status == 400
    assert "temperature" in json.loads(frame.data)["error"]["message"]


def test_a_silent_engine_with_work_is_hung_and_an_idle_one_is_not(live: Live) -> None:
    async def stop_and_look() -> None:
        live.engine.check_health()
        endless = call("/v1/chat/completions", messages=HAIKU, max_tokens=1500, ignore_eos=True)
        async with aclosing(live.engine.generate(endless)) as items:
            reading = asyncio.ensure_future(anext(items))
            await until(lambda: live.engine.stats().running)
            os.kill(_core(), signal.SIGSTOP)
            try:
                live.engine.hang_timeout_s = 0.5
                await until(lambda: live.engine.stats().step_age_s > 0.6)
                with pytest.raises(EngineHung, match="no step for"):
                    live.engine.check_health()
            finally:
                os.kill(_core(), signal.SIGCONT)
                live.engine.hang_timeout_s = 60.0
            reading.cancel()
            await asyncio.wait([reading])

    live.run(stop_and_look())


def test_a_dead_engine_ends_its_stream_without_done(live: Live) -> None:
    """Last of all: nothing runs after it."""

    async def kill_in_mid_stream() -> list[Frame]:
        got: list[Frame] = []
        endless = call(
            "/v1/chat/completions", messages=HAIKU, max_tokens=1500, ignore_eos=True, stream=True
        )
        try:
            async for item in live.engine.generate(endless):
                if isinstance(item, Frame):
                    got.append(item)
                if len(got) == 3:
                    os.kill(_core(), signal.SIGKILL)
        except EngineDead:
            return got
        raise AssertionError("the stream outlived its engine")

    frames = live.run(kill_in_mid_stream())
    assert not any(b"[DONE]" in frame.data or b'"error"' in frame.data for frame in frames)
    with pytest.raises(EngineDead):
        live.engine.check_health()


def _core() -> int:
    """The engine process, a child of this one."""
    listed = subprocess.check_output(["ps", "-eo", "pid=,ppid=,args="], text=True).splitlines()
    rows = [line.split(maxsplit=2) for line in listed]
    [pid] = [pid for pid, ppid, args in rows if "EngineCore" in args and ppid == str(os.getpid())]
    return int(pid)
