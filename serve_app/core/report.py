"""What a policy may look at: the reports of replicas, and what was ordered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class ReplicaLoad(NamedTuple):
    """One replica's latest report. What gateways say (`depth`, `depth_tokens`, `arriving`) is
    all gateways' together and the same in each report."""

    running: int  # sequences that gateways have sent there
    slots: int
    reported_at: float
    depth: int = 0  # sequences that wait in gateways
    depth_tokens: int = 0
    arriving_tokens_per_s: float = 0.0  # prompt and expected output
    kv_usage: float = 0.0
    load_s: float = 0.0  # how long it took from its start to serving; 0 is unknown
    token_s: float = 0.0  # seconds in a slot per token of calls that ended lately; 0 is unknown
    tpot_s: float = 0.0  # mean of what decodes there, lately; 0 is unknown
    slow_tpot_s: float = 0.0  # of the slower answers that ended lately; 0 is unknown
    alone_tpot_s: float = 0.0  # the fastest so far; 0 is unknown
    slowdown: float = 2.0  # an answer is late if a token takes so many times as long as alone
    answers_per_s: float = 0.0  # that ended lately
    late: float = 0.0  # share of them
    reading: float = 0.0  # share of the time in which a prompt was not read yet, lately


@dataclass(frozen=True, slots=True)
class Load:
    """What a policy may look at. `target` is what was ordered so far, loading ones included."""

    replicas: Sequence[ReplicaLoad]  # in service
    target: int
    least: int = 0
    most: int = 1_000_000
