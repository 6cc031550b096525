"""When an answer was good enough: the objectives that goodput counts against."""

import math
from dataclasses import dataclass

from serve_app.bench.answer import Answer
from serve_app.checking.question import pairs, seconds


@dataclass(frozen=True, slots=True)
class Slo:
    """Longest times, in seconds; infinity asks for nothing."""

    ttft_s: float = math.inf
    tpot_s: float = math.inf
    e2e_s: float = math.inf

    @classmethod
    def parse(cls, text: str) -> "Slo":
        """`ttft=200ms,tpot=50ms`, `e2e=2s`: times with their unit.

        >>> Slo.parse("ttft=200ms,e2e=2s")
        Slo(ttft_s=0.2, tpot_s=inf, e2e_s=2.0)
        """
        found = pairs(text, ("ttft", "tpot", "e2e"))
        return cls(**{f"{name}_s": seconds(value, name) for name, value in found.items()})

    def is_met(self, answer: Answer) -> bool:
        """An answer of one token has no TPOT and meets any; an error meets nothing."""
        return (
            not answer.error
            and answer.ttft_s <= self.ttft_s
            and (answer.tpot_s or 0.0) <= self.tpot_s
            and answer.e2e_s <= self.e2e_s
        )

    def __str__(self) -> str:
        limits = {"TTFT": self.ttft_s, "TPOT": self.tpot_s, "E2E": self.e2e_s}
        return ", ".join(f"{k} ≤ {v * 1e3:g} ms" for k, v in limits.items() if v < math.inf)
