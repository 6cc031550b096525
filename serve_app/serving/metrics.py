"""What the gateway counts, for Prometheus.

One process, one registry: several gateway replicas each show their own numbers, and the
scraper adds them up. Labels are closed lists (models, outcome codes), never what a client
sent.
"""

from collections.abc import Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from serve_app.serving.lane import Lane
from serve_app.serving.relay import Outcome

COUNTERS = {
    "requests": ("Requests by how they ended", ["model", "code"]),
    "tokens": ("Tokens of answered requests", ["model", "kind"]),
    "tenant_requests": ("Requests by tenant and how they ended", ["tenant", "code"]),
    "tenant_tokens": ("Tokens by tenant: prompt, cached of those, output", ["tenant", "kind"]),
    "frames": ("Frames passed on", ["model"]),
    # Per request: request / gateway_requests. Per frame: (channel + frames) / gateway_frames.
    "cpu_seconds": (
        "CPU time: of requests until their head is sent, of frames after it, of channels",
        ["part"],
    ),
}
LANE_GAUGES = {
    "depth": "Requests that wait",
    "depth_tokens": "Their tokens, estimated",
    "running": "Requests that run on a replica",
    "ready_replicas": "Replicas that can answer",
}
ENGINE_GAUGES = {
    "running": "Sequences that the engine runs, as of the last beat",
    "waiting": "Sequences that wait inside the engine",
    "kv_usage": "Share of the KV cache in use",
    "prefix_hit_rate": "Share of prompt tokens found in the prefix cache",
    "slots": "Sequences that gateways may send it",
    "kv_tokens": "Tokens that its KV cache holds",
    "max_num_seqs": "Sequences in a step",
    "max_num_batched_tokens": "Tokens in a step; 0 is unknown",
    "steps_ahead": "Steps that it decides on while the one before them runs",
}
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counters that requests write when they end, and gauges read from lanes when scraped."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        counters = {
            name: Counter(f"gateway_{name}", text, labels, registry=self._registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self._requests, self._tokens = counters["requests"], counters["tokens"]
        self._tenant_requests = counters["tenant_requests"]
        self._tenant_tokens = counters["tenant_tokens"]
        self._frames, self._cpu = counters["frames"], counters["cpu_seconds"]
        self._seconds = Histogram(
            "gateway_request_seconds",
            "Arrival to last byte",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._config = Gauge(
            "gateway_config_is_current",
            "0 when the last user_config was refused and the one before goes on",
            registry=self._registry,
        )
        self.spend_on_channel = self._cpu.labels("channel").inc
        self.config_is_current(True)
        self._lane_gauges = self._gauges("gateway", LANE_GAUGES, ["application"])
        self._engine_gauges = self._gauges("engine", ENGINE_GAUGES, ["application", "replica"])
        self._start_gauge = Gauge(
            "engine_start_seconds",
            "What each phase of its start took",
            ["application", "replica", "phase"],
            registry=self._registry,
        )

    def ended(self, model: str, tenant: str, outcome: Outcome, seconds: float) -> None:
        """Count one request; `model` is empty when the request named none of ours."""
        self._tenant_requests.labels(tenant, outcome.code).inc()
        self._requests.labels(model, outcome.code).inc()
        self._seconds.labels(model).observe(seconds)
        self._frames.labels(model).inc(outcome.frames)
        self._cpu.labels("request").inc(outcome.request_cpu_s)
        self._cpu.labels("frames").inc(outcome.frames_cpu_s)
        if outcome.usage is not None:
            for counter, label in ((self._tokens, model), (self._tenant_tokens, tenant)):
                counter.labels(label, "prompt").inc(outcome.usage.prompt_tokens)
                counter.labels(label, "cached").inc(outcome.usage.cached_tokens)
                counter.labels(label, "output").inc(outcome.usage.output_tokens)

    def refused(self, code: str) -> None:
        """Count a request that nobody is known to have made."""
        self._requests.labels("", code).inc()

    def config_is_current(self, is_current: bool) -> None:
        self._config.set(is_current)

    def text(self, lanes: Mapping[str, Lane]) -> bytes:
        """The exposition format, with the lanes as they are now."""
        gauges = (*self._lane_gauges.values(), *self._engine_gauges.values(), self._start_gauge)
        for gauge in gauges:
            gauge.clear()  # replicas that are gone
        for lane in lanes.values():
            ready = sum(replica.is_healthy for replica in lane.replicas)
            _set(
                self._lane_gauges,
                (lane.depth, lane.depth_tokens, lane.running, ready),
                lane.application,
            )
            for report in lane.reports:
                stats, capacity = report.stats, report.capacity
                numbers = (
                    stats.running,
                    stats.waiting,
                    stats.kv_usage,
                    stats.prefix_hit_rate,
                    report.slots,
                    capacity.kv_tokens,
                    capacity.max_num_seqs,
                    capacity.max_num_batched_tokens,
                    capacity.steps_ahead,
                )
                _set(self._engine_gauges, numbers, lane.application, report.replica)
                for phase, seconds in report.start_s:
                    self._start_gauge.labels(lane.application, report.replica, phase).set(seconds)
        return generate_latest(self._registry)

    def _gauges(
        self, prefix: str, described: Mapping[str, str], labels: list[str]
    ) -> dict[str, Gauge]:
        return {
            name: Gauge(f"{prefix}_{name}", text, labels, registry=self._registry)
            for name, text in described.items()
        }


def _set(gauges: Mapping[str, Gauge], values: Sequence[float], *labels: str) -> None:
    for gauge, value in zip(gauges.values(), values, strict=True):
        gauge.labels(*labels).set(value)
