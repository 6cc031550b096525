"""vLLM's front end as we set it up, over a core that makes steps when it is told to."""

import asyncio
import gc
import importlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from serve_app.bench.idle_core import IdleCoreEngine
from serve_app.config import EngineArgs
from serve_app.engine import front_end
from serve_app.engine.asgi import Exchange
from serve_app.engine.protocol import Call, Frame, Head
from serve_app.engine.vllm import JSON_HEADERS
from serve_app.models import resolve

VLLM = {
    "dtype": "float32",
    "kv_cache_memory_bytes": 1 << 28,
    "max_model_len": 2048,
    "max_num_seqs": 256,
    "enforce_eager": True,
    "enable_auto_tool_choice": True,
    "tool_call_parser": "hermes",
}
CHAT = {"messages": [{"role": "user", "content": "How do tokens become text?"}]}
TOKENS = 40


class Live:
    """A front end and the event loop that it lives on."""

    def __init__(self, model: str) -> None:
        args = EngineArgs(kind="vllm", model=model, names=(model,), vllm=VLLM, warm_up=False)
        self.engine = IdleCoreEngine(args, model_path=str(resolve(model)))
        self.tempo = self.engine.tempo
        self.run = asyncio.Runner().run

    def call(self, path: str = "/v1/chat/completions", **body: Any) -> Call:
        asked = {"model": self.engine.model.names[0], "stream": True, "max_tokens": TOKENS, **body}
        return Call("r1", path, json.dumps(asked).encode(), headers=JSON_HEADERS)

    async def step_by_step(self, call: Call, *, sequences: int = 1) -> list[Head | Frame]:
        """Each step is made when the tokens of the one before have been read."""
        self.tempo.begin(sequences, allowed=1)
        items, read = [], 0
        async for item in self.engine.generate(call):
            items.append(item)
            read += len(item.token_ids) if isinstance(item, Frame) else 0
            self.tempo.allow(read // sequences + 1)
        return items

    async def behind(self, call: Call, *, sequences: int = 1) -> list[Head | Frame]:
        """All steps but the first are made while the event loop stands still."""
        self.tempo.begin(sequences, allowed=1)
        items, is_behind = [], False
        async for item in self.engine.generate(call):
            items.append(item)
            if not is_behind and isinstance(item, Frame) and item.token_ids:
                is_behind = True
                self.make_steps(TOKENS)
        return items

    def make_steps(self, steps: int) -> None:
        """Another process makes them; this one waits, and its event loop with it."""
        began = time.monotonic()
        self.tempo.allow(steps)
        while self.tempo.made_at(steps - 1) < began:
            pass


@pytest.fixture(scope="module")
def live(smollm2: str, vllm_process: pytest.MonkeyPatch) -> Iterator[Live]:
    it = Live(smollm2)
    it.run(it.engine.start())
    yield it
    it.run(it.engine.shutdown())


def frames(items: list[Head | Frame]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def body(items: list[Head | Frame]) -> bytes:
    return b"".join(frame.data for frame in frames(items))


def ids(items: list[Head | Frame]) -> dict[int, list[int]]:
    """The tokens of each choice."""
    found: dict[int, list[int]] = {}
    for frame in frames(items):
        found.setdefault(frame.choice, []).extend(frame.token_ids)
    return found


def timeless(data: bytes) -> bytes:
    return re.sub(rb'"created":\d+', b'"created":0', data)


def said(items: list[Head | Frame]) -> dict[str, Any]:
    """All that the chunks of a stream add up to, whatever their number."""
    lines = [line[6:] for line in body(items).split(b"\n\n") if line.startswith(b"data: {")]
    chunks = [json.loads(line) for line in lines]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    sums: dict[str, Any] = {"usage": [chunk.get("usage") for chunk in chunks if chunk.get("usage")]}
    for choice in choices:
        text = choice["text"] if "text" in choice else choice["delta"].get("content")
        logprobs = (choice.get("logprobs") or {}).get("content") or []
        of = sums.setdefault(choice["index"], {"text": "", "ids": [], "logprobs": [], "why": []})
        of["text"] += text or ""
        of["ids"] += choice.get("token_ids") or []
        of["logprobs"] += logprobs
        of["why"] += [choice["finish_reason"]] if choice["finish_reason"] else []
    return sums


@pytest.mark.vllm
def test_a_front_end_that_keeps_up_sends_each_token_alone_with_the_bytes_of_vllms_own_app(
    live: Live,
) -> None:
    call = live.call(**CHAT, stream_options={"include_usage": True})
    items = live.run(live.step_by_step(call))

    assert timeless(body(items)) == timeless(live.run(of_vllms_own_app(live, call)))
    assert [len(frame.token_ids) for frame in frames(items)] == [1] * TOKENS


async def of_vllms_own_app(live: Live, call: Call) -> bytes:
    """The same call into an app that nobody has touched, step by step."""
    live.tempo.begin(1, allowed=1)
    said = b""
    async for batch in Exchange(call).batches(untouched_app(live)):
        said += b"".join(message.get("body", b"") for message in batch)
        live.tempo.allow(said.count(b'"content":"') or 1)  # one of them is empty, with the role
    return said


def untouched_app(live: Live) -> Any:
    ours, llm = live.engine._app, live.engine._llm
    launchers = importlib.import_module("vllm.entrypoints.launchers.app")
    app = launchers.build_app(ours.state.args, ("generate",), llm.model_config)
    app.state = ours.state
    return app


@pytest.mark.vllm
@pytest.mark.parametrize(
    ("path", "asked", "sequences"),
    [
        ("/v1/chat/completions", CHAT, 1),
        ("/v1/chat/completions", CHAT | {"n": 2}, 2),  # merged per choice
        ("/v1/chat/completions", CHAT | {"logprobs": True}, 1),  # one entry for each token
        ("/v1/chat/completions", CHAT | {"stop": ["into moving"]}, 1),  # ends in mid-merge
        ("/v1/completions", {"prompt": ["One,", "Two,"]}, 2),  # two requests of vLLM's
    ],
)
def test_a_front_end_that_is_behind_says_the_same_in_fewer_frames(
    live: Live, path: str, asked: dict[str, Any], sequences: int
) -> None:
    usage = {"stream_options": {"include_usage": True}, "return_token_ids": True}
    call = live.call(path, **asked, **usage)
    apart = live.run(live.step_by_step(call, sequences=sequences))
    merged = live.run(live.behind(call, sequences=sequences))

    assert said(merged) == said(apart)
    assert ids(merged) == ids(apart)
    assert frames(merged)[-1].usage == frames(apart)[-1].usage
    assert len(frames(merged)) < len(frames(apart)) / 2


@pytest.mark.vllm
def test_a_step_of_more_streams_than_vllm_puts_through_in_one_go_is_merged_too(live: Live) -> None:
    streams, later = 140, 10
    call = live.call(**CHAT)

    async def read(started: list[int]) -> int:
        """Frames of one stream after its first; the last one to start brings all behind."""
        seen = 0
        async for item in live.engine.generate(call):
            if isinstance(item, Frame) and item.token_ids:
                seen += 1
                started.append(1)
                if len(started) == streams:
                    live.make_steps(1 + later)
                if len(started) > streams:
                    live.tempo.allow(TOKENS)
        return seen - 1

    async def all_of_them() -> list[int]:
        started: list[int] = []
        live.tempo.begin(streams, allowed=1)
        return await asyncio.gather(*(read(started) for _ in range(streams)))

    assert max(live.run(all_of_them())) <= TOKENS - later


@pytest.mark.vllm
def test_what_vllm_wraps_around_each_message_is_found_and_left_out(live: Live) -> None:
    built = {one.cls.__name__ for one in untouched_app(live).user_middleware}
    left = {one.cls.__name__ for one in live.engine._app.user_middleware}

    assert built - left == set(front_end.UNUSED_MIDDLEWARE)
    assert left


@pytest.mark.vllm
def test_after_loading_the_environment_is_read_no_more_and_garbage_is_sought_less_often(
    live: Live,
) -> None:
    from vllm import envs

    assert hasattr(envs.__getattr__, "cache_info")
    assert gc.get_threshold()[0] == front_end.YOUNG_OBJECTS


def test_middleware_that_is_not_known_to_be_unused_stays() -> None:
    app = Starlette()
    app.add_middleware(CORSMiddleware)
    app.add_middleware(GZipMiddleware)
    app.middleware_stack = app.build_middleware_stack()
    front_end.strip_middleware(app)

    assert [one.cls for one in app.user_middleware] == [GZipMiddleware]
    assert app.middleware_stack is None
