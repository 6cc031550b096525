"""The engine port: what the rest of the project may ask of a model.

Everything that can produce tokens is an `Engine`: vLLM, the simulator, later a remote
API. An engine takes a screened HTTP call and answers it as HTTP: one `Head`, then
`Frame`s. The bytes of a frame go to the client untouched; the token ids beside them are
ours, and are what a stream is resumed from when its replica dies.

What crosses from process to process per token is a msgspec `Struct`: made, encoded and
decoded in a tenth of the time that a dataclass takes.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from serve_app.core.pace import Pace
from serve_app.engine.phases import Phases

Headers = tuple[tuple[bytes, bytes], ...]


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One HTTP request for an engine: screened, headers reduced to what engines may see."""

    request_id: str
    path: str
    body: bytes
    method: str = "POST"
    headers: Headers = ()
    sequences: int = 1  # choices × prompts: how many the engine will run
    expected_tokens: int = 0  # of KV cache that all of them are expected to need; 0 is unknown


class Usage(msgspec.Struct, frozen=True, array_like=True):
    """What a request cost, in tokens; `cached_tokens` of the prompt came from the prefix cache."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


class Head(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Status and headers of the answer; always the first item."""

    status: int
    headers: Headers = ()


class Frame(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Bytes for the client, and the tokens of `choice` that they, or earlier frames, stand for.

    `data` may be empty: a token that completes no character yet still has an id.
    The last frame of an answer is `finished` and carries the usage.
    """

    data: bytes
    choice: int = 0
    token_ids: tuple[int, ...] = ()
    finished: bool = False
    usage: Usage | None = None


Items = Sequence[Head | Frame]
"""What became ready together for one call."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What an engine knows about itself now. `kv_usage` and `prefix_hit_rate` are in [0, 1]."""

    waiting: int = 0
    running: int = 0
    kv_usage: float = 0.0
    prefix_hit_rate: float = 0.0
    step_age_s: float = 0.0  # since the last step that moved work forward; 0 when idle


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an engine can hold, fixed once it is loaded."""

    kv_tokens: int
    max_num_seqs: int
    max_model_len: int
    max_num_batched_tokens: int = 0  # tokens of one step; 0 is unknown
    steps_ahead: int = 0  # that it decides on while the one before them runs; 0 or 1


@dataclass(frozen=True, slots=True)
class Model:
    """What an engine serves: names by which clients ask for it, and the routes it has."""

    names: tuple[str, ...]
    routes: tuple[str, ...]
    created: int


class Engine(Protocol):
    """A model that answers HTTP calls."""

    hang_timeout_s: float
    """With work and no step for this long, `check_health` raises `EngineHung`."""
    phases: Phases
    """Of its start; read from other threads too."""

    @property
    def pace(self) -> Pace:
        """How fast it decodes, and how late its answers are."""
        ...

    async def start(self) -> None:
        """Load, then warm up; returns when the first request will be answered at full speed."""

    def abort_start(self) -> None:
        """Make a blocked `start` fail. Called from another thread."""

    def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        """Answer one call: a `Head`, then frames, the last one `finished`.

        Closing the generator, or cancelling the task that reads it, aborts the request in
        the engine. Raises `EngineError` when the engine cannot go on.
        """
        ...

    def stats(self) -> EngineStats:
        """Latest numbers; no I/O, never raises."""
        ...

    def check_health(self) -> None:
        """Raise `EngineDead` or `EngineHung`; no I/O."""

    @property
    def capacity(self) -> Capacity: ...

    @property
    def model(self) -> Model: ...

    async def shutdown(self) -> None:
        """Stop the engine and everything that it started."""
