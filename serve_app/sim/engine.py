"""A replica on the virtual clock: the simulator's continuous batching, one event a step."""

from collections.abc import Callable
from dataclasses import dataclass

from serve_app.engine.batch import CHUNK_TOKENS, Batch, Sequence, Step
from serve_app.sim.clock import Clock
from serve_app.sim.traffic import BLOCK_TOKENS


@dataclass(frozen=True, slots=True)
class EngineShape:
    """How large an engine is and how fast; in the order of one H100 with an 8B model."""

    max_num_seqs: int = 128
    kv_tokens: int = 200_000
    prefill_tokens_per_s: float = 20_000.0
    decode_step_s: float = 0.020
    decode_step_per_seq_s: float = 0.0001
    chunk_tokens: int = CHUNK_TOKENS

    def batch(self) -> Batch:
        return Batch(
            kv_tokens=self.kv_tokens,
            block_tokens=BLOCK_TOKENS,
            max_num_seqs=self.max_num_seqs,
            prefill_tokens_per_s=self.prefill_tokens_per_s,
            decode_step_s=self.decode_step_s,
            decode_step_per_seq_s=self.decode_step_per_seq_s,
            chunk_tokens=self.chunk_tokens,
        )


class Engine:
    """A batch that steps while it has work; `on_step` hears of each step when it is over."""

    def __init__(
        self, name: str, shape: EngineShape, clock: Clock, on_step: Callable[[Step], None]
    ) -> None:
        self.name = name
        self.shape = shape
        self.batch = shape.batch()
        self._clock = clock
        self._on_step = on_step
        self._is_stepping = False

    def __repr__(self) -> str:
        return f"<Engine {self.name} {self.batch!r}>"

    def add(self, sequence: Sequence) -> None:
        """Let it wait for the next step; `wake` once everything is added."""
        self.batch.add(sequence)

    def wake(self) -> None:
        """Begin a step, unless one is under way or there is nothing to do."""
        if not self._is_stepping and self.batch:
            self._is_stepping = True
            step = self.batch.step()
            self._clock.after(step.duration_s, lambda: self._end(step))

    def _end(self, step: Step) -> None:
        self._is_stepping = False
        self._on_step(step)
        self.wake()
