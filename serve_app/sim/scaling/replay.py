"""A gateway, its replicas and whoever decides how many there are, on a virtual clock.

The queue, the forecast, the dispatcher and its routing are the gateway's own; replicas take
`load_s` from their order to their first request, and cost from then until they have drained.
"""

import gc
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from serve_app.core.carried import Carried
from serve_app.core.dispatch import SLACK, Assignment, Dispatcher
from serve_app.core.forecast import Forecast
from serve_app.core.queue import WaitingQueue
from serve_app.core.report import Load
from serve_app.core.request import Request
from serve_app.core.routing import Routing
from serve_app.errors import QueueFull
from serve_app.sim.clock import Clock
from serve_app.sim.scaling.engine import Replica
from serve_app.sim.scaling.fleet import Order, Sample, Scaler, Seen, Story
from serve_app.sim.scaling.gauges import Gauges
from serve_app.sim.scaling.job import Job, Ongoing
from serve_app.sim.scaling.replicas import Replicas
from serve_app.sim.scaling.reports import Reports
from serve_app.sim.scaling.setup import Setup
from serve_app.sim.traffic import Arrival

BEAT_S = 0.5
TICK_S = 1.0
SAMPLE_EVERY_S = 10.0


def play(
    arrivals: Iterable[Arrival],
    scaler: Scaler,
    setup: Setup,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Story:
    """What becomes of `arrivals`, in the order of their time, which begins near 0."""
    with _without_gc():
        return Replay(scaler, setup, on_progress).play(arrivals)


@contextmanager
def _without_gc() -> Iterator[None]:
    """A replay makes millions of objects, and no cycles of them; to look for some is a fifth of
    its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Replay:
    """One run; `play` it once."""

    def __init__(self, scaler: Scaler, setup: Setup, on_progress: Callable[[float], None]) -> None:
        tunables, slots = setup.gateway, setup.gateway.slots
        self.clock = Clock()
        self.dispatcher = Dispatcher(
            WaitingQueue(tunables.queue.to_core()),
            Routing(stale_after_s=tunables.stale_after_s, kv_headroom=slots.kv_headroom),
            ttft_target_s=slots.ttft_target_s,
        )
        self.carried = Carried(slots.target_late)
        self.forecast = Forecast(slots.expected_output_tokens)
        self.replicas = Replicas(setup.rates, setup.load_s, setup.engine, self.clock, self)
        self.gauges = Gauges(setup.rates, setup.slo)
        self.reports = Reports(self.replicas, self.dispatcher, self.gauges, setup)
        self.story = Story(slots=self.replicas.slots())
        self._setup = setup
        self._scaler = scaler
        self._on_progress = on_progress
        self._costs = self.dispatcher.queue.rules.costs
        self._open: dict[str, Ongoing] = {}
        self._last_arrival_at = math.inf
        self._wanted = setup.initial

    def __repr__(self) -> str:
        return f"<Replay at {self.clock.now:.1f} s, {self.replicas!r}>"

    def play(self, arrivals: Iterable[Arrival]) -> Story:
        self.replicas.order(self._setup.initial, load_s=0.0)
        self._expect_next(iter(arrivals))
        self.clock.every(BEAT_S, self._beat)
        self.clock.every(TICK_S, self._decide)
        self.clock.every(SAMPLE_EVERY_S, self._sample)
        while self._open or self.clock.now < self._last_arrival_at:
            self.clock.run(until_s=self.clock.now + SAMPLE_EVERY_S)
            self._on_progress(self.clock.now)
        return self.story

    def _expect_next(self, arrivals: Iterator[Arrival]) -> None:
        arrival = next(arrivals, None)
        if arrival is not None:
            self.clock.at(arrival.at_s, partial(self._arrive, arrival, arrivals))
        else:
            self._last_arrival_at = self.clock.now
            self.story.seconds = self.clock.now
            self.story.replica_s = self.replicas.paid_s

    def _arrive(self, arrival: Arrival, rest: Iterator[Arrival]) -> None:
        now, index = self.clock.now, len(self.story.at_s)
        request = self._request(arrival, index)
        self.story.arrived(now)
        try:
            self.dispatcher.submit(request, now=now)
        except QueueFull:
            self.story.refused += 1
        else:
            self._open[request.id] = Ongoing(request, arrival, index)
            self._act()
        self._expect_next(rest)

    def _request(self, arrival: Arrival, index: int) -> Request:
        tenant, prompt = arrival.tenant, arrival.prompt_tokens
        return Request(
            str(index),
            arrival.at_s,
            arrival.at_s + self._setup.gateway.queue.deadline_s,
            prompt_tokens=prompt,
            output_tokens=self.forecast.output_tokens(arrival.max_tokens, tenant),
            tenant=tenant,
            weight=arrival.weight,
            priority=arrival.priority,
            cached_tokens=self.forecast.cached_tokens(prompt, tenant),
            streams=True,
        )

    def _beat(self) -> None:
        now = self.clock.now
        self.replicas.hear()
        carries = self.carried.hear(self.reports.at(now), now=now)
        self.dispatcher.observe(self.replicas.reports(carries))
        self.dispatcher.retain(self.replicas.ready.keys())
        self._act()

    def _act(self) -> None:
        step = self.dispatcher.assign(now=self.clock.now)
        for request in step.evictions:
            del self._open[request.id]
            self.story.evicted += 1
        for assignment in step.assignments:
            self._start(assignment)

    def _start(self, assignment: Assignment) -> None:
        request = assignment.request
        ongoing = self._open[request.id]
        ongoing.started_at = self.clock.now
        arrival = ongoing.arrival
        engine = self.replicas.sends(assignment.replica_id, request.tokens)
        engine.add(
            Job(
                request.id,
                arrival.prompt_tokens,
                arrival.output_tokens,
                request.tokens,
                arrival.blocks,
            )
        )
        engine.wake()

    def first_token(self, _replica: Replica, job: Job) -> None:
        now, ongoing = self.clock.now, self._open[job.id]
        ongoing.first_at = now
        ttft_s = now - ongoing.arrival.at_s
        ratio = self.gauges.ttft_ratio(ttft_s, ongoing.arrival)
        self.story.ttft_s[ongoing.index] = ttft_s
        self.story.ttft_ratio[ongoing.index] = ratio
        self.gauges.ttft.add(ratio, now=now)
        self.dispatcher.heard_first_token(job.id, now=now)
        if len(self.dispatcher.queue):
            self._act()

    def outgrew(self, _replica: Replica, job: Job, tokens: int) -> int:
        self.dispatcher.grown(job.id, tokens)
        return tokens + max(1, int(SLACK * (tokens - job.prompt_tokens)))

    def finished(self, replica: Replica, job: Job) -> None:
        now, ongoing = self.clock.now, self._open.pop(job.id)
        decoding_s = now - ongoing.first_at
        if job.output_tokens > 1:
            replica.answers.ended(decoding_s / (job.output_tokens - 1), now=now)
        ratio = self.gauges.tpot_ratio(decoding_s, job.output_tokens)
        self.story.tpot_ratio[ongoing.index] = ratio
        self.gauges.tpot.add(ratio, now=now)
        tokens = job.prompt_tokens + job.output_tokens
        self.gauges.slot_time.ended(now - ongoing.started_at, 1, tokens=tokens)
        uncached = job.prompt_tokens - job.cached
        cost = self._costs.of(uncached=uncached, cached=job.cached, output=job.output_tokens)
        self.dispatcher.release(job.id, cost=cost, uncached_tokens=uncached)
        tenant = ongoing.request.tenant
        self.forecast.observe_output(job.output_tokens, tenant)
        self.forecast.observe_cached(job.cached, job.prompt_tokens, tenant)
        if len(self.dispatcher.queue):
            self._act()

    def _decide(self) -> None:
        self.replicas.settle()
        seen = self._seen()
        decision = self._scaler.decide(seen, now=self.clock.now)
        wanted = min(self._setup.most, max(self._setup.least, decision.replicas))
        if not seen.ordered and seen.waiting:
            wanted = max(1, wanted)  # Serve starts the first one without asking
        if wanted != seen.ordered:
            self.story.orders.append(
                Order(self.clock.now, seen.ordered, wanted, decision.cause, decision.reason)
            )
            self.replicas.order(wanted)
            self.dispatcher.retain(self.replicas.ready.keys())
        self._wanted = wanted

    def _seen(self) -> Seen:
        now, queue = self.clock.now, self.dispatcher.queue
        loads = self.reports.at(now)
        ready, ordered = len(self.replicas.ready), self.replicas.ordered
        return Seen(
            Load(loads, ordered, self._setup.least, self._setup.most),
            ready=ready,
            ordered=ordered,
            running=sum(load.running for load in loads),
            waiting=len(queue),
            kv_usage=sum(load.kv_usage for load in loads) / max(1, ready),
            ttft_p90=self.gauges.ttft.quantile(0.9, now=now),
            tpot_p90=self.gauges.tpot.quantile(0.9, now=now),
        )

    def _sample(self) -> None:
        ready, held = len(self.replicas.ready), self.replicas.held
        depth, running = len(self.dispatcher.queue), self.replicas.running()
        self.story.samples.append(Sample(self.clock.now, self._wanted, ready, held, depth, running))
