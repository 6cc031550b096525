"""What is measured, and in which order.

A round visits every level, and at each level every target, so that whatever else happens
on the machine happens to all of them; odd rounds visit the targets backwards, because the
first of two may find a cooler machine.

In a round all targets are asked the same, but for the first few words: targets may share
an engine, and the second would find its prompts in the first one's prefix cache. These
words come from the clock too, so that a second run does not find them in the first one's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from serve_app.bench.ask import Ask
from serve_app.bench.errors import BenchError
from serve_app.bench.level import Level
from serve_app.bench.slo import Slo
from serve_app.bench.target import Target
from serve_app.bench.trace import Trace
from serve_app.bench.words import COMMON, dice_of
from serve_app.bench.workload import Workload

Endpoint = Literal["completions", "chat"]

# Equal lengths make targets comparable, and greedy decoding makes runs comparable.
FIELDS: Mapping[str, Any] = {"temperature": 0, "ignore_eos": True}
_MARK_WORDS = 4
_WARM_UP_TOKENS = 8


@dataclass(frozen=True)
class Plan:
    """One run. `requests` and `warm_up` are per measurement; None leaves them to the level."""

    targets: Sequence[Target]
    workload: Workload
    levels: Sequence[Level]
    rounds: int = 5
    requests: int | None = None
    warm_up: int | None = None
    endpoint: Endpoint = "completions"
    model: str = ""
    slo: Slo = field(default_factory=Slo)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    timeout_s: float = 600.0

    @property
    def fields(self) -> dict[str, Any]:
        """What every request's body has beside prompt and length; None leaves a field out."""
        return {k: v for k, v in {**FIELDS, **self.extra_body}.items() if v is not None}

    def order(self, number: int) -> range:
        """The targets' positions, in the order of this round."""
        count = len(self.targets)
        return range(count - 1, -1, -1) if number % 2 else range(count)

    def count(self, level: Level) -> int:
        """Requests in one measurement."""
        return min(self.requests or level.requests, self.workload.size)

    @property
    def total(self) -> int:
        """Requests in all measurements of all targets."""
        return sum(map(self.count, self.levels)) * len(self.targets) * self.rounds

    def probe_ask(self) -> Ask:
        """A first request, to see whether a target answers."""
        return _short(self.workload.asks(1, dice_of("probe"))[0])

    def asks(self, level: Level, number: int) -> list[Ask]:
        """The requests of this round at this level, equal for every target."""
        return self.workload.asks(self.count(level), dice_of(self.seed, str(level), number))

    def warm_up_asks(self, level: Level, number: int) -> list[Ask]:
        """Others like them, with short answers."""
        count = level.warm_up if self.warm_up is None else self.warm_up
        asks = self.workload.asks(count, dice_of(self.seed, "warm-up", str(level), number))
        return [_short(ask) for ask in asks]

    def arrivals_s(self, level: Level, asks: Sequence[Ask], number: int) -> list[float]:
        """When each is sent, equal for every target."""
        return level.arrivals_s(asks, dice_of(self.seed, "arrivals", str(level), number))

    def fitting(self, longest_tokens: int | None) -> "Plan":
        """This plan for targets that take so many tokens: a trace is cut, other work refused."""
        if longest_tokens is None or self.workload.longest_tokens <= longest_tokens:
            return self
        if isinstance(self.workload, Trace):
            return replace(self, workload=self.workload.fitting(longest_tokens))
        raise BenchError(
            f"requests of {self.workload.longest_tokens} tokens do not fit into the "
            f"{longest_tokens} that a target takes (max_model_len): ask for fewer with "
            "--input-tokens, --output-tokens or --prefix-tokens"
        )


def _short(ask: Ask) -> Ask:
    return replace(ask, output_tokens=min(ask.output_tokens, _WARM_UP_TOKENS))


def mark(*seed: object) -> list[str]:
    """The words by which the prompts of one measurement differ from those of all others."""
    return dice_of("mark", *seed).choices(COMMON, k=_MARK_WORDS)
