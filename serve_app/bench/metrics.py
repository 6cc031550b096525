"""The numbers: percentiles over requests, rates over rounds, and ratios between targets.

Percentiles are over all requests (for ITL: all gaps) of all rounds together. Rates are
per round, and the median of the rounds is shown. A ratio is taken within a round, where
both targets met the same prompts on the same machine minutes apart at most; what is shown
is the median of the rounds' ratios and the smallest and largest of them.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from serve_app.bench.answer import Answer, Measurement
from serve_app.bench.price import Price
from serve_app.bench.slo import Slo

PERCENTILES = (50, 95, 99)


class Metric(NamedTuple):
    """A number, how it is written, and by what it is multiplied for people."""

    key: str
    title: str
    scale: float = 1.0


TIMES = tuple(
    Metric(f"{time}_p{percentile}_s", f"{time.upper()} p{percentile} ms", 1e3)
    for time in ("ttft", "itl", "tpot", "e2e")
    for percentile in PERCENTILES
)
RATES = (
    Metric("requests_per_s", "requests/s"),
    Metric("output_tokens_per_s", "tokens/s out"),
    Metric("goodput_per_s", "goodput/s"),
)
# Not compared: they say what was measured, or are proportional to what is.
FACTS = (
    Metric("requests", "requests"),
    Metric("errors", "errors"),
    Metric("input_tokens", "tokens in, each"),
    Metric("output_tokens", "tokens out, each"),
    Metric("cpu_share", "client CPU"),
    Metric("usd_per_million_tokens", "$/M tokens"),
    Metric("usd_per_million_output_tokens", "$/M tokens out"),
)
COMPARED = (*TIMES, *RATES)
METRICS = (*TIMES, *RATES, *FACTS)


@dataclass(frozen=True, slots=True)
class Spread:
    """Ratios of several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Spread":
        return cls(statistics.median(ratios), min(ratios), max(ratios))


def summary(
    rounds: Sequence[Measurement], slo: Slo, price: Price | None = None
) -> dict[str, float]:
    """Every number of one target under one load; what was not seen is left out."""
    completed = [answer for measurement in rounds for answer in measurement.completed]
    rates = [_rates(measurement, slo) for measurement in rounds]
    medians = {key: statistics.median(rate[key] for rate in rates) for key in rates[0]}
    costs = {} if price is None else _costs(rounds, price)
    return {**_times(completed), **medians, **_totals(rounds), **_means(completed), **costs}


def ratios(
    ours: Iterable[Mapping[str, float]], first: Iterable[Mapping[str, float]]
) -> dict[str, Spread]:
    """Ours over the first target's, round by round, for numbers that both have in a round."""
    found: dict[str, list[float]] = {}
    for mine, other in zip(ours, first, strict=True):
        for key in (metric.key for metric in COMPARED):
            if mine.get(key) is not None and other.get(key):
                found.setdefault(key, []).append(mine[key] / other[key])
    return {key: Spread.of(values) for key, values in found.items()}


def samples(completed: Sequence[Answer]) -> dict[str, list[float]]:
    """Every single time, in seconds."""
    return {
        "ttft": [answer.ttft_s for answer in completed],
        "itl": [itl_s for answer in completed for itl_s in answer.itls_s],
        "tpot": [answer.tpot_s for answer in completed if answer.tpot_s is not None],
        "e2e": [answer.e2e_s for answer in completed],
    }


def _times(completed: Sequence[Answer]) -> dict[str, float]:
    return {
        f"{name}_p{percentile}_s": value
        for name, values in samples(completed).items()
        if values
        for percentile, value in zip(PERCENTILES, percentiles(values), strict=True)
    }


def percentiles(values: Sequence[float]) -> list[float]:
    """Of `PERCENTILES`, between neighbours by distance, as numpy does.

    >>> percentiles([1.0, 2.0, 3.0])
    [2.0, 2.9, 2.98]
    """
    if len(values) == 1:
        return [values[0] for _ in PERCENTILES]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return [cuts[percentile - 1] for percentile in PERCENTILES]


def _rates(measurement: Measurement, slo: Slo) -> dict[str, float]:
    completed, duration_s = measurement.completed, measurement.duration_s
    good = {"goodput_per_s": sum(map(slo.is_met, completed)) / duration_s} if slo != Slo() else {}
    return {
        "requests_per_s": len(completed) / duration_s,
        "output_tokens_per_s": sum(answer.output_tokens for answer in completed) / duration_s,
        "cpu_share": measurement.cpu_share,
        **good,
    }


def _totals(rounds: Sequence[Measurement]) -> dict[str, float]:
    sent = sum(len(measurement.answers) for measurement in rounds)
    completed = sum(len(measurement.completed) for measurement in rounds)
    return {"requests": sent, "errors": sent - completed}


def _means(completed: Sequence[Answer]) -> dict[str, float]:
    if not completed:
        return {}
    return {
        "input_tokens": statistics.fmean(answer.input_tokens for answer in completed),
        "output_tokens": statistics.fmean(answer.output_tokens for answer in completed),
    }


def _costs(rounds: Sequence[Measurement], price: Price) -> dict[str, float]:
    """All dollars over all tokens: what a million cost at this mix of input and output."""
    completed = [answer for measurement in rounds for answer in measurement.completed]
    tokens_in = sum(answer.input_tokens for answer in completed)
    tokens_out = sum(answer.output_tokens for answer in completed)
    if not completed:
        return {}
    duration_s = sum(measurement.duration_s for measurement in rounds)
    dollars = price.dollars(input_tokens=tokens_in, output_tokens=tokens_out, duration_s=duration_s)
    return {
        "usd_per_million_tokens": dollars / (tokens_in + tokens_out) * 1e6,
        "usd_per_million_output_tokens": dollars / tokens_out * 1e6,
    }
