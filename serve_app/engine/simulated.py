"""The simulated engine: answers like a model, at a model's pace, without a model.

`Batch` decides what each step computes and how long that takes; this file spends the time
and hands out the tokens. With `faults` on, a prompt that contains one of these obeys it:

    simulate: fail 400    the request is refused
    simulate: fail        the request fails
    simulate: stall       the request never gets a token
    simulate: hang        the engine stops stepping
    simulate: die         the engine stops for good; its process lives
    simulate: exit        the process ends
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncGenerator

from serve_app.config import Simulated
from serve_app.core.pace import Pace
from serve_app.engine.batch import CHUNK_TOKENS, Batch, Sequence, Step
from serve_app.engine.health import DEFAULT_HANG_TIMEOUT_S, require_progress
from serve_app.engine.phases import Phases
from serve_app.engine.protocol import (
    Call,
    Capacity,
    EngineStats,
    Frame,
    Head,
    Headers,
    Model,
    Usage,
)
from serve_app.engine.simulated_delivery import Delivery, Stream
from serve_app.engine.simulated_openai import ROUTES, FrontEnd
from serve_app.engine.simulated_reply import Reply
from serve_app.engine.simulated_text import detokenize
from serve_app.errors import EngineDead, EngineError, Malformed, Rejected

logger = logging.getLogger(__name__)

JSON: Headers = ((b"content-type", b"application/json"),)
EVENTS: Headers = ((b"content-type", b"text/event-stream; charset=utf-8"),)
_FAULT = re.compile("simulate: (fail 400|fail|stall|hang|die|exit)")


class SimulatedEngine:
    """An `Engine` of `Batch`. The same prompt, seed and choice always get the same text."""

    def __init__(
        self,
        knobs: Simulated,
        *,
        names: tuple[str, ...],
        hang_timeout_s: float = DEFAULT_HANG_TIMEOUT_S,
    ) -> None:
        self.hang_timeout_s = hang_timeout_s
        self._knobs = knobs
        self._batch = Batch(
            kv_tokens=knobs.kv_tokens,
            block_tokens=knobs.block_tokens,
            max_num_seqs=knobs.max_num_seqs,
            prefill_tokens_per_s=knobs.prefill_tokens_per_s,
            decode_step_s=knobs.decode_step_s,
            decode_step_per_seq_s=knobs.decode_step_per_seq_s,
        )
        self._front_end = FrontEnd(
            Model(names, ROUTES, int(time.time())),
            max_model_len=min(knobs.max_model_len, self._batch.kv_tokens),
            default_output_tokens=knobs.default_output_tokens,
        )
        self._streams: dict[Sequence, Stream] = {}
        self._has_work = asyncio.Event()
        self._is_hung = False
        self._finishing = 0  # left the batch in the step that is still being waited for
        self._stepped_at = 0.0
        self.pace = Pace()
        self._stepping: asyncio.Task[None] | None = None
        self.phases = Phases()

    async def start(self) -> None:
        self.phases.enter("weights")
        try:
            await asyncio.sleep(self._knobs.load_s)
        finally:
            self.phases.end()
        self._stepping = asyncio.create_task(self._run())
        self._stepping.add_done_callback(self._died)

    def abort_start(self) -> None:
        """It waits politely: cancelling is enough."""

    async def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        """See `Engine.generate`."""
        self._check_alive()
        delivery = self._answer(call)
        if not isinstance(delivery, Delivery):
            for item in delivery:
                yield item
            return
        try:
            while not delivery.has_status:
                await self._progress(delivery)
            yield Head(200, EVENTS if delivery.reply.streams else JSON)
            while delivery.left:
                for frame in delivery.take():
                    yield frame
                if delivery.left:
                    await self._progress(delivery)
        finally:
            self._withdraw(delivery)

    def stats(self) -> EngineStats:
        batch = self._batch
        return EngineStats(
            waiting=len(batch.waiting),
            running=len(batch.running) + self._finishing,
            kv_usage=batch.kv_usage,
            prefix_hit_rate=batch.cached_tokens / max(1, batch.started_tokens),
            step_age_s=time.monotonic() - self._stepped_at if batch else 0.0,
        )

    def check_health(self) -> None:
        self._check_alive()
        require_progress(self.stats().step_age_s, hang_timeout_s=self.hang_timeout_s)

    @property
    def capacity(self) -> Capacity:
        return Capacity(
            kv_tokens=self._batch.kv_tokens,
            max_num_seqs=self._knobs.max_num_seqs,
            max_model_len=self._front_end.max_model_len,
            max_num_batched_tokens=CHUNK_TOKENS,
        )

    @property
    def model(self) -> Model:
        return self._front_end.model

    async def shutdown(self) -> None:
        if self._stepping is not None:
            self._stepping.cancel()
            await asyncio.wait([self._stepping])

    async def _run(self) -> None:
        while await self._has_work.wait():
            due = time.monotonic()
            while self._batch and not self._is_hung:
                step = self._batch.step()
                self._finishing = len(step.finished)
                # Counted from when this step was due, so that late wake-ups do not add up.
                now = time.monotonic()
                due = max(due + step.duration_s, now)
                await asyncio.sleep(due - now)
                self._hand_out(step)
            self._has_work.clear()

    def _hand_out(self, step: Step) -> None:
        self._stepped_at = now = time.monotonic()
        self.pace.stepped(
            decoded=step.decodes,
            decoding_s=step.decodes * step.duration_s,
            reading_s=step.duration_s if step.prefilled else 0.0,
            now=now,
        )
        self._finishing = 0
        for sequence in step.produced:
            if stream := self._streams.get(sequence):
                stream.advance(now)
        for sequence in step.finished:
            if (stream := self._streams.get(sequence)) and stream.ready > 1:
                self.pace.answers.ended((now - stream.first_at) / (stream.ready - 1), now=now)

    def _died(self, stepping: asyncio.Task[None]) -> None:
        if not stepping.cancelled() and (error := stepping.exception()):
            logger.error("the simulated engine failed", exc_info=error)
        for stream in self._streams.values():
            stream.moved.set()

    def _check_alive(self) -> None:
        if self._stepping is None or self._stepping.done():
            raise EngineDead("the engine of this replica is not running; it is replaced, try again")

    async def _progress(self, delivery: Delivery) -> None:
        await delivery.moved.wait()
        delivery.moved.clear()
        self._check_alive()

    def _answer(self, call: Call) -> Delivery | tuple[Head, Frame]:
        try:
            reply = self._front_end.read(call)
            if isinstance(reply, Reply):
                return self._submit(reply)
        except Rejected as error:
            return _document(error.status, error.body())
        return _document(200, reply)

    def _submit(self, reply: Reply) -> Delivery:
        delivery = Delivery(reply, block_tokens=self._knobs.block_tokens)
        is_stalled = self._knobs.faults and self._obey(reply)
        if not self._batch:
            self._stepped_at = time.monotonic()
        for stream in delivery.streams:
            self._streams[stream.sequence] = stream
            if not is_stalled:
                self._batch.add(stream.sequence)
        self._has_work.set()
        return delivery

    def _withdraw(self, delivery: Delivery) -> None:
        for stream in delivery.streams:
            del self._streams[stream.sequence]
            self._batch.abort(stream.sequence)

    def _obey(self, reply: Reply) -> bool:
        """Do what the prompt says; True if its own request is to stall."""
        marker = _FAULT.search(detokenize(reply.choices[0].prompt_ids))
        match marker and marker[1]:
            case "fail 400":
                raise Malformed("refused, as the prompt asked for")
            case "fail":
                raise EngineError("failed, as the prompt asked for")
            case "hang":
                self._is_hung = True
            case "die" if self._stepping:
                self._stepping.cancel()
            case "exit":
                os._exit(1)
            case "stall":
                return True
        return False


def _document(status: int, body: bytes) -> tuple[Head, Frame]:
    return Head(status, JSON), Frame(body, finished=True, usage=Usage())
