"""One replica of the engine model under a load that was measured: how far it is off.

The requests arrive as they did, with the lengths that they had, at one replica that is there
all the time, with what a gateway adds (deadlines, the limit on TTFT) out of the way.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from serve_app.calibration.points import Load
from serve_app.config import EngineTunables, GatewayTunables
from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.scaling.measures import percentiles
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

_NEVER_S = 1e9
_MANY = 10**12
_ONE_SECOND = Slo(tpot_s=1.0)  # a TPOT as a multiple of it is a TPOT in seconds
BOUND = 0.15
BOUNDED = ("TTFT p50", "TTFT p95", "tokens/s out")


@dataclass(frozen=True, slots=True)
class Row:
    """One number of one load; times are in seconds."""

    load: str
    number: str
    measured: float
    model: float

    @property
    def error(self) -> float:
        """Of the model; 0.1 is a tenth too much."""
        return self.model / self.measured - 1

    @property
    def is_off(self) -> bool:
        return self.number in BOUNDED and abs(self.error) > BOUND


def compare(loads: Iterable[Load], rates: Rates) -> list[Row]:
    """A row per load and number, over all rounds of the load."""
    by_name: dict[str, list[Load]] = {}
    for load in loads:
        by_name.setdefault(str(load), []).append(load)
    return [row for name, rounds in by_name.items() for row in _rows(name, rounds, rates)]


def _rows(name: str, rounds: Sequence[Load], rates: Rates) -> list[Row]:
    model = [replayed(load, rates) for load in rounds]
    return [Row(name, title, number(rounds), number(model)) for title, number in _NUMBERS.items()]


def replayed(load: Load, rates: Rates) -> Load:
    """The same requests, with the model's times."""
    arrivals = [
        Arrival(sent.at_s, "", sent.prompt_tokens, sent.output_tokens, sent.output_tokens)
        for sent in load.requests
    ]
    story = play(arrivals, Static(1), _setup(load, rates))
    times = zip(load.requests, story.ttft_s, story.tpot_ratio, strict=True)
    requests = (replace(sent, ttft_s=ttft_s, tpot_s=tpot_s) for sent, ttft_s, tpot_s in times)
    return replace(load, requests=tuple(requests))


def _setup(load: Load, rates: Rates) -> Setup:
    tokens = [sent.prompt_tokens + sent.output_tokens for sent in load.requests]
    gateway = GatewayTunables.model_validate(
        {
            "queue": {"deadline_s": _NEVER_S, "max_requests": _MANY, "max_tokens": _MANY},
            "slots": {"ttft_target_s": _NEVER_S},
        }
    )
    engine = EngineTunables(expected_tokens=round(statistics.fmean(tokens)))
    return Setup(rates, load_s=0.0, most=1, slo=_ONE_SECOND, gateway=gateway, engine=engine)


def _ttfts(rounds: Sequence[Load]) -> dict[str, float]:
    return percentiles(sorted(sent.ttft_s for load in rounds for sent in load.requests))


def _tpot_s(rounds: Sequence[Load]) -> float:
    found = [s.tpot_s for load in rounds for s in load.requests if s.output_tokens > 1]
    return statistics.median(found)


def _tokens_per_s(rounds: Sequence[Load]) -> float:
    """From the first arrival to the last token."""
    return statistics.median(
        sum(sent.output_tokens for sent in load.requests)
        / (max(sent.ended_at_s for sent in load.requests) - load.requests[0].at_s)
        for load in rounds
    )


_NUMBERS: dict[str, Callable[[Sequence[Load]], float]] = {
    "TTFT p50": lambda rounds: _ttfts(rounds)["p50"],
    "TTFT p95": lambda rounds: _ttfts(rounds)["p95"],
    "TPOT p50": _tpot_s,
    "tokens/s out": _tokens_per_s,
}
