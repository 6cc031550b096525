"""What a replay of scaling is about: who decides, what it sees, what it costs, how it went."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from serve_app.core.autoscaling import Decision
from serve_app.core.curve import Steps, height
from serve_app.core.reading import reading_step_s
from serve_app.core.report import Load


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast one replica is, and how much it holds; measured, or estimated from a plan."""

    prefill_tokens_per_s: float
    decode_steps: Steps
    kv_tokens: int
    max_num_seqs: int
    chunk_tokens: int
    overhead_s: float = 0.0  # from a request to the engine: HTTP, tokenising; nobody waits for it
    read_step_s: float = 0.0  # of a step that reads prompts and decodes nothing, beside reading
    reading: Steps = ()  # tokens, and what reading them adds to a step; none is a rate for all
    beside: float = 1.0  # what a reading step has, too, of what more than one sequence take longer
    steps_ahead: int = 0  # that are decided on while the one before them runs; 0 or 1

    def step_s(self, sequences: float) -> float:
        """A decode step of so many sequences, without prefill."""
        return height(self.decode_steps, sequences)

    def read_s(self, tokens: int, decodes: int) -> float:
        """A step that reads so many of prompts, and decodes so many sequences."""
        if self.reading:
            adds_s = height(self.reading, tokens)
        else:
            adds_s = tokens / self.prefill_tokens_per_s
        if not decodes:
            return self.read_step_s + adds_s
        return reading_step_s(adds_s, decodes, steps=self.decode_steps, beside=self.beside)

    @property
    def alone_s(self) -> float:
        """A decode step of one sequence."""
        return self.step_s(1)


@dataclass(frozen=True, slots=True)
class Slo:
    """TTFT ≤ `ttft_s` + `prefills` × the request's own unloaded prefill; TPOT ≤ `tpot_times`
    × unloaded, or ≤ `tpot_s` where that is given. A refusal is a miss."""

    ttft_s: float = 2.0
    prefills: float = 2.0
    tpot_times: float = 2.0
    tpot_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scaler may look at: what ours gets, and what others take from Prometheus.

    `ready` replicas serve, `ordered` also counts those that load; p90s are of requests that
    had their first token, or ended, in the last 30 s, as a multiple of their own limit in the
    SLO (1.0 is just met); 0 where there were none.
    """

    load: Load
    ready: int
    ordered: int
    running: int  # sequences on replicas
    waiting: int  # in gateways
    kv_usage: float  # mean over replicas
    ttft_p90: float
    tpot_p90: float


class Scaler(Protocol):
    """Decides every second; pure but for its own memory."""

    def decide(self, seen: Seen, *, now: float) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """The fleet at one moment, every `SAMPLE_EVERY_S`."""

    at_s: float
    wanted: int
    ready: int
    held: int  # paid for: loading, ready and draining
    depth: int
    running: int


@dataclass(frozen=True, slots=True)
class Order:
    """A change of what is wanted."""

    at_s: float
    before: int
    after: int
    cause: str
    reason: str


@dataclass(slots=True)
class Story:
    """What became of every request, in order of arrival, and of the fleet."""

    slots: int  # of one replica
    seconds: float = 0.0  # to the last arrival
    at_s: "array[float]" = field(default_factory=lambda: array("d"))  # arrival
    ttft_ratio: "array[float]" = field(default_factory=lambda: array("d"))  # TTFT ÷ its limit; inf
    tpot_ratio: "array[float]" = field(default_factory=lambda: array("d"))  # TPOT ÷ its limit; inf
    ttft_s: "array[float]" = field(default_factory=lambda: array("d"))  # inf if there was none
    refused: int = 0
    evicted: int = 0
    samples: list[Sample] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    replica_s: float = 0.0  # paid for between start and end of the trace

    def arrived(self, at_s: float) -> None:
        """One more, a miss until something else is known."""
        self.at_s.append(at_s)
        for column in (self.ttft_ratio, self.tpot_ratio, self.ttft_s):
            column.append(math.inf)

    def met(self, index: int) -> bool:
        return self.ttft_ratio[index] <= 1.0 and self.tpot_ratio[index] <= 1.0


Schedule = Sequence[tuple[float, int]]  # from when on, how many should be ready
