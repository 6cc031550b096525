"""When an answer is good enough."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objectives:
    """Longest times, in seconds; the defaults are those of MLPerf's server test of DeepSeek-R1."""

    ttft_s: float = 2.0
    tpot_s: float = 0.08

    def __str__(self) -> str:
        return f"TTFT ≤ {self.ttft_s:g} s, TPOT ≤ {self.tpot_s * 1e3:g} ms"
