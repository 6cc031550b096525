"""What the gateway counts, for Prometheus.

One process, one registry: several gateway replicas each show their own numbers, and the
scraper adds them up. Labels are closed lists (models, outcome codes), never what a client
sent.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serve_app.serving.lane import Lane
from serve_app.serving.relay import Outcome

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counters that requests write when they end, and gauges read from lanes when scraped."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gateway_requests",
            "Requests by how they ended",
            ["model", "code"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "gateway_tokens",
            "Tokens of answered requests",
            ["model", "kind"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "gateway_request_seconds",
            "Arrival to last byte",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        names = ("depth", "depth_tokens", "running", "ready_replicas")
        self._gauges = {
            name: Gauge(
                f"gateway_{name}",
                f"{name} now, by application",
                ["application"],
                registry=self._registry,
            )
            for name in names
        }

    def ended(self, model: str, outcome: Outcome, seconds: float) -> None:
        """Count one request; `model` is empty when the request named none of ours."""
        self._requests.labels(model, outcome.code).inc()
        self._seconds.labels(model).observe(seconds)
        if outcome.usage is not None:
            self._tokens.labels(model, "prompt").inc(outcome.usage.prompt_tokens)
            self._tokens.labels(model, "cached").inc(outcome.usage.cached_tokens)
            self._tokens.labels(model, "output").inc(outcome.usage.output_tokens)

    def text(self, lanes: Mapping[str, Lane]) -> bytes:
        """The exposition format, with the lanes as they are now."""
        for lane in lanes.values():
            ready = sum(replica.is_healthy for replica in lane.replicas)
            values = (lane.depth, lane.depth_tokens, lane.running, ready)
            for gauge, value in zip(self._gauges.values(), values, strict=True):
                gauge.labels(lane.application).set(value)
        return generate_latest(self._registry)
