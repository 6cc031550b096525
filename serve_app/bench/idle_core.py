"""An engine core that does no work: vLLM's front end with nothing else to wait for.

It is a process of its own and speaks vLLM's wire, so the front end receives, decodes and
falls behind as it does beside a real engine. Each step has one token for every request:
ordinary English, since what detokenizing costs depends on the text.
"""

import multiprocessing
import tempfile
import time
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from serve_app.engine.vllm import VllmEngine

LONGEST_ANSWER = 4096
PAUSE_S = 50e-6
IDLE_MS = 200

TEXT = """The engine computes one token for every request that runs, and the front end turns \
these tokens into text. When the text is short, most of the time goes into moving it: a line \
of JSON, a message, a switch from one task to the next. In the morning the rain had stopped, \
and the streets of the old town were quiet. "How long does it take?" she asked. Nobody knew; \
the answer depends on the weather, on the road and, above all, on who is driving. """


class Tempo:
    """When steps are made, and when they were; shared with the core's process."""

    def __init__(self, context: SpawnContext) -> None:
        self._streams = context.RawValue("q", 1)
        self._step_s = context.RawValue("d", 0.0)
        self._allowed = context.RawValue("q", 0)
        self._made_at = context.RawArray("d", LONGEST_ANSWER)

    def begin(self, streams: int, *, allowed: int, step_s: float = 0.0) -> None:
        """Make steps once `streams` requests are there: `allowed` of them, `step_s` apart."""
        self._streams.value, self._step_s.value, self._allowed.value = streams, step_s, allowed

    def allow(self, steps: int) -> None:
        self._allowed.value = steps

    def made_at(self, step: int) -> float:
        """The monotonic time at which a step was sent; the first is step 0."""
        return float(self._made_at[step])

    def is_due(self, step: int) -> bool:
        due = self._made_at[step - 1] + self._step_s.value if step else 0.0
        return step < self._allowed.value and time.monotonic() >= due

    def is_met(self, streams: int) -> bool:
        return streams >= int(self._streams.value)

    def record(self, step: int) -> None:
        self._made_at[step] = time.monotonic()


class IdleCoreEngine(VllmEngine):
    """The replica's engine over an idle core; `tempo` drives it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._context = multiprocessing.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self.tempo = Tempo(self._context)

    def _load(self, config: Any, **options: Any) -> Any:
        ends = [f"ipc://{Path(self._folder.name) / end}" for end in ("in", "out")]
        self._core = self._context.Process(
            target=_run, args=(*ends, config.model_config.tokenizer, self.tempo), daemon=True
        )
        self._core.start()
        addresses = dict(zip(("input_address", "output_address"), ends, strict=True))
        return super()._load(config, client_addresses=addresses, **options)

    async def shutdown(self) -> None:
        await super().shutdown()
        self._core.terminate()
        self._core.join()
        self._folder.cleanup()


def _run(orders: str, outputs: str, tokenizer: str, tempo: Tempo) -> None:
    core = _IdleCore(orders, outputs, tokenizer, tempo)
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        core.hear(wait_ms=0 if core.is_running else IDLE_MS)
        if core.is_running and tempo.is_due(core.steps):
            core.step()
        elif core.is_running:
            time.sleep(PAUSE_S)


class _Running:
    """One request: how much it still wants, of what, and where in the text it is."""

    __slots__ = ("at", "left", "with_logprobs")

    def __init__(self, wanted: Any, at: int) -> None:
        self.left = wanted.max_tokens
        self.with_logprobs = wanted.logprobs is not None
        self.at = at


class _IdleCore:
    """The engine's end of the wire."""

    def __init__(self, orders: str, outputs: str, tokenizer: str, tempo: Tempo) -> None:
        import zmq  # noqa: PLC0415 - comes with vLLM, as the rest
        from transformers import AutoTokenizer  # noqa: PLC0415
        from vllm.v1 import engine, serial_utils  # noqa: PLC0415

        self.steps = 0
        self.is_running = False
        self._vllm = engine
        self._pace = tempo
        self._requests: dict[str, _Running] = {}
        self._ids = AutoTokenizer.from_pretrained(tokenizer).encode(TEXT)
        self._encode = serial_utils.MsgpackEncoder().encode
        self._decode = serial_utils.MsgpackDecoder().decode
        self._decode_request = serial_utils.MsgpackDecoder(engine.EngineCoreRequest).decode
        self._context = zmq.Context()
        self._orders = self._context.socket(zmq.DEALER)
        self._orders.identity = bytes(2)  # rank 0
        self._orders.connect(orders)
        self._outputs = self._context.socket(zmq.PUSH)
        self._outputs.set_hwm(0)
        self._outputs.connect(outputs)
        self._orders.send(b"")  # loaded, and nothing about the configuration has changed

    def hear(self, *, wait_ms: int) -> None:
        while self._orders.poll(wait_ms):
            kind, *message = self._orders.recv_multipart()
            self._obey(self._vllm.EngineCoreRequestType(kind), message)
            wait_ms = 0

    def step(self) -> None:
        outputs = [self._output(name, request) for name, request in self._requests.items()]
        self._requests = {name: one for name, one in self._requests.items() if one.left}
        self._pace.record(self.steps)
        self._send(outputs=outputs, scheduler_stats=self._stats())
        self.steps += 1
        self.is_running = bool(self._requests)

    def _obey(self, kind: Any, message: list[bytes]) -> None:
        if kind is self._vllm.EngineCoreRequestType.ADD:
            self._add(self._decode_request(message))
        elif kind is self._vllm.EngineCoreRequestType.ABORT:
            for name in self._decode(message):
                self._requests.pop(name, None)
            self.is_running = self.is_running and bool(self._requests)
        else:
            self._answer(self._decode(message)[1])

    def _add(self, request: Any) -> None:
        at = len(self._requests) * 7  # so that not all streams say the same
        self._requests[request.request_id] = _Running(request.sampling_params, at)
        if not self.is_running and self._pace.is_met(len(self._requests)):
            self.is_running, self.steps = True, 0

    def _answer(self, call_id: int) -> None:
        """The one thing that the front end asks is which tasks are supported."""
        from vllm.v1.serial_utils import UtilityResult  # noqa: PLC0415

        result = UtilityResult(("generate",))
        self._send(utility_output=self._vllm.UtilityOutput(call_id, None, result))

    def _output(self, name: str, request: _Running) -> Any:
        request.left -= 1
        request.at += 1
        token = self._ids[request.at % len(self._ids)]
        reason = None if request.left else self._vllm.FinishReason.LENGTH
        logprobs = _logprobs(token) if request.with_logprobs else None
        return self._vllm.EngineCoreOutput(name, [token], logprobs, finish_reason=reason)

    def _stats(self) -> Any:
        from vllm.v1.metrics.stats import SchedulerStats  # noqa: PLC0415

        return SchedulerStats(num_running_reqs=len(self._requests))

    def _send(self, **fields: Any) -> None:
        self._outputs.send_multipart(self._encode(self._vllm.EngineCoreOutputs(**fields)))


def _logprobs(token: int) -> Any:
    """Of the token alone; another number for another token."""
    import numpy as np  # noqa: PLC0415 - comes with vLLM
    from vllm.v1.outputs import LogprobsLists  # noqa: PLC0415

    return LogprobsLists(np.array([[token]]), np.array([[-1 / token]]), np.array([1]))
