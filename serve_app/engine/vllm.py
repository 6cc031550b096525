"""vLLM behind the engine port: its own OpenAI app, run in process.

The app brings chat, completions, responses, messages, embeddings, tools, reasoning and
structured output, formatted by vLLM itself; we pass its bytes on. The token ids behind
them come from `tap`, the scheduler's numbers from `step_watch`.

These modules, `front_end` and the two executors are the only ones that import vllm, and do so
late: the import takes seconds, and only a replica needs it.
"""

import argparse
import asyncio
import importlib
import json
import logging
import multiprocessing
import time
import types
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from serve_app.config import EngineArgs
from serve_app.core.pace import Pace
from serve_app.engine import front_end
from serve_app.engine.asgi import App, Exchange, Message
from serve_app.engine.health import DEFAULT_HANG_TIMEOUT_S, require_progress
from serve_app.engine.phases import Phases
from serve_app.engine.protocol import Call, Capacity, EngineStats, Frame, Head, Headers, Model
from serve_app.engine.step_watch import StepWatch
from serve_app.engine.tap import Tap, tapped_llm
from serve_app.engine.tap import current as tap_of_this_call
from serve_app.errors import EngineDead, EngineError, EngineOverloaded

logger = logging.getLogger(__name__)

GENERATE_ROUTES = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
RANK_MARKS = "serve_app.engine.rank_marks.RankMarks"
TOKEN_ROUTES = ("/tokenize", "/detokenize")


class VllmEngine:
    """One vLLM engine. `placement_group` is Ray's, or None outside of a Ray actor."""

    def __init__(self, args: EngineArgs, *, model_path: str, placement_group: Any = None) -> None:
        self.hang_timeout_s = DEFAULT_HANG_TIMEOUT_S
        self._args = args
        self._model_path = model_path
        self._placement_group = placement_group
        self._watch = StepWatch()
        self._ranks = 1  # data ranks: schedulers, each with a KV cache and a batch of its own
        self._busy_since = 0.0
        self._calls = 0
        self._llm: Any = None
        self._app: App | None = None
        self._model: Model | None = None
        self.phases = Phases()

    async def start(self) -> None:
        """Load the weights and compile; minutes for a large model. Blocks the event loop."""
        try:
            await self._start()
        finally:
            self.phases.end()

    async def _start(self) -> None:
        engine_args, namespace = _arguments(self._args, self._model_path)
        config = engine_args.create_engine_config()
        parallel = config.parallel_config
        parallel.placement_group = self._placement_group
        self._watch.ranks = self._ranks = parallel.data_parallel_size
        parallel.worker_extension_cls = parallel.worker_extension_cls or RANK_MARKS
        self.phases.listen()
        front_end.merge_when_behind(config.scheduler_config.max_num_seqs)
        self._llm = self._load(config, log_stats=not engine_args.disable_log_stats)
        self.phases.enter("warm_up")
        tasks = await self._llm.get_supported_tasks()
        self._app = await _build_app(self._llm, namespace, tasks)
        self._model = Model(self._args.names, _routes(tasks), int(time.time()))
        if self._args.warm_up and "generate" in tasks:
            await self._warm_up()
        front_end.settle()

    def abort_start(self) -> None:
        """vLLM waits for its engine process, and notices at once when it is gone."""
        for process in multiprocessing.active_children():
            process.kill()

    async def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        """See `Engine.generate`. A 5xx of vLLM's app becomes an `EngineError`."""
        tap = Tap()
        tap_of_this_call.set(tap)
        self._enter()
        batches = Exchange(call).batches(self._running_app())
        try:
            async for messages in batches:
                self._check_alive()
                for item in _items(messages, tap):
                    yield item
        finally:
            self._calls -= 1
            await batches.aclose()

    def stats(self) -> EngineStats:
        watch, is_idle = self._watch, not self._has_work()
        # The watch hears of steps, and an engine whose last request was aborted makes none.
        return EngineStats(
            waiting=0 if is_idle else watch.waiting,
            running=0 if is_idle else watch.running,
            kv_usage=0.0 if is_idle else watch.kv_usage,
            prefix_hit_rate=watch.prefix_hit_rate,
            step_age_s=self._step_age_s(),
        )

    @property
    def pace(self) -> Pace:
        return self._watch.pace

    def check_health(self) -> None:
        self._check_alive()
        require_progress(self._step_age_s(), hang_timeout_s=self.hang_timeout_s)

    @property
    def capacity(self) -> Capacity:
        config = self._llm.vllm_config  # its numbers are those of one data rank
        return Capacity(
            kv_tokens=self._ranks * config.cache_config.kv_cache_size_tokens,
            max_num_seqs=self._ranks * config.scheduler_config.max_num_seqs,
            max_model_len=config.model_config.max_model_len,
            max_num_batched_tokens=self._ranks * config.scheduler_config.max_num_batched_tokens,
            steps_ahead=int(bool(config.scheduler_config.async_scheduling)),
        )

    @property
    def model(self) -> Model:
        if self._model is None:
            raise EngineDead("the engine is not loaded yet")
        return self._model

    async def shutdown(self) -> None:
        if self._llm is not None:
            await asyncio.to_thread(self._llm.shutdown)

    def _load(self, config: Any, **options: Any) -> Any:
        from serve_app.engine.ray_executor import executor_of  # noqa: PLC0415

        options |= {"stat_loggers": [self._watch], "log_requests": False}
        return tapped_llm()(config, executor_of(config), **options)

    def _enter(self) -> None:
        if self._calls == 0:
            self._busy_since = time.monotonic()
        self._calls += 1

    def _step_age_s(self) -> float:
        if not self._has_work():
            return 0.0
        return time.monotonic() - max(self._watch.stepped_at, self._busy_since)

    def _has_work(self) -> bool:
        return self._llm is not None and self._llm.get_num_unfinished_requests() > 0

    def _check_alive(self) -> None:
        if self._llm is None or self._llm.errored:
            raise EngineDead("the engine of this replica has died; it is being replaced, try again")

    def _running_app(self) -> App:
        self._check_alive()
        if self._app is None:
            raise EngineDead("the engine is not loaded yet")
        return self._app

    async def _warm_up(self) -> None:
        """First requests compile kernels, templates and grammars; better now than for a client."""
        started = time.monotonic()
        model = self._args.names[0]
        chat = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        schema = {"name": "warm_up", "schema": {"type": "object", "properties": {"a": {}}}}
        structured = {"response_format": {"type": "json_schema", "json_schema": schema}}
        for extra in ({"stream": True}, {"logprobs": True, "top_logprobs": 1}, structured):
            body = json.dumps({**chat, **extra}).encode()
            call = Call("warm-up", GENERATE_ROUTES[0], body, headers=JSON_HEADERS)
            async for item in self.generate(call):
                if isinstance(item, Head) and item.status != 200:
                    logger.warning("warm-up request was refused with status %d", item.status)
        logger.info("warm-up took %.1f s", time.monotonic() - started)


JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)


def _arguments(args: EngineArgs, model_path: str) -> tuple[Any, argparse.Namespace]:
    """vLLM's engine arguments, and the namespace that its front end reads."""
    from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415
    from vllm.entrypoints.launchers.cli_args import (  # noqa: PLC0415
        FrontendArgs,
        validate_parsed_serve_args,
    )

    known = AsyncEngineArgs.__dataclass_fields__
    ours = {"model": model_path, "served_model_name": list(args.names)}
    engine_args = AsyncEngineArgs(**ours, **{k: v for k, v in args.vllm.items() if k in known})
    front = FrontendArgs(**{k: v for k, v in args.vllm.items() if k not in known})
    namespace = argparse.Namespace(**(vars(front) | vars(engine_args)))
    validate_parsed_serve_args(namespace)
    return engine_args, namespace


async def _build_app(llm: Any, namespace: argparse.Namespace, tasks: Any) -> App:
    launchers = importlib.import_module("vllm.entrypoints.launchers.app")
    state = importlib.import_module("vllm.entrypoints.launchers.api_server.app_state")
    app = launchers.build_app(namespace, tasks, llm.model_config)
    await state.init_app_state(llm, app.state, namespace, tasks)
    front_end.strip_middleware(app)
    # vLLM stops its own server through this on an engine error; without it that error is
    # masked by an AttributeError.
    app.state.server = types.SimpleNamespace()
    return app


def _routes(tasks: Any) -> tuple[str, ...]:
    generate = GENERATE_ROUTES if "generate" in tasks else ()
    embed = ("/v1/embeddings",) if "embed" in tasks else ()
    return (*generate, *embed, *TOKEN_ROUTES)


def _items(messages: Sequence[Message], tap: Tap) -> list[Head | Frame]:
    """The head as it is; all bodies that are ready together as one frame."""
    if messages[0]["type"] == "http.response.start":
        return [_head(messages[0]), *(_items(messages[1:], tap) if messages[1:] else ())]
    data = b"".join(message.get("body", b"") for message in messages)
    finished = not messages[-1].get("more_body", False)
    return [*tap.frames(data, finished=finished)]


def _head(start: Message) -> Head:
    status = start["status"]
    if status == 503:
        raise EngineOverloaded("the engine has no room for this request; try again")
    if status >= 500:
        raise EngineError("the engine failed on this request; its log has the reason")
    return Head(status, tuple(start.get("headers", ())))
