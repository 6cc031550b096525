"""One gateway and its replicas on a virtual clock.

The gateway is the real dispatcher with its real queue, forecast and limits, called as the
serving layer calls it: on each arrival, finish, report and tick.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from serve_app.core.dispatch import Assignment, Dispatcher
from serve_app.core.forecast import Forecast
from serve_app.core.request import Costs, Request
from serve_app.core.routing import Replica
from serve_app.engine import batch
from serve_app.errors import QueueFull
from serve_app.sim.clock import Clock
from serve_app.sim.engine import Engine, EngineShape
from serve_app.sim.record import Outcome, Record, Service
from serve_app.sim.traffic import Arrival

REPORT_EVERY_S = 0.5


@dataclass(slots=True)
class _Ongoing:
    """A request that waits or runs."""

    request: Request
    record: Record


class World:
    """Plays arrivals; `records` and `service` tell what became of them."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        engines: Sequence[EngineShape],
        forecast: Forecast,
        *,
        deadline_s: float = 300.0,
        reports_kv: bool = True,
    ) -> None:
        self.clock = Clock()
        self.dispatcher = dispatcher
        self.engines = {
            name: Engine(name, shape, self.clock, self._on_step)
            for name, shape in ((f"r{i}", shape) for i, shape in enumerate(engines))
        }
        self.forecast = forecast
        self.records: list[Record] = []
        self.service = Service()
        self._costs: Costs = dispatcher.queue.rules.costs
        self._deadline_s = deadline_s
        self._reports_kv = reports_kv
        self._open: dict[str, _Ongoing] = {}
        self._running: dict[batch.Sequence, _Ongoing] = {}

    def __repr__(self) -> str:
        return f"<World at {self.clock.now:.1f} s, {self.dispatcher!r}>"

    @property
    def preempted(self) -> int:
        return sum(engine.batch.preempted for engine in self.engines.values())

    def play(self, arrivals: Iterable[Arrival], *, until_s: float) -> None:
        self.clock.every(REPORT_EVERY_S, self._report)
        self.clock.every(1.0, lambda: self.service.tick(now=self.clock.now))
        self._expect_next(iter(arrivals))
        self.clock.run(until_s=until_s)

    def _expect_next(self, arrivals: Iterator[Arrival]) -> None:
        arrival = next(arrivals, None)
        if arrival is not None:
            self.clock.at(arrival.at_s, lambda: self._arrive(arrival, arrivals))

    def _report(self) -> None:
        self.dispatcher.observe(
            Replica(
                engine.name,
                slots=engine.shape.max_num_seqs,
                running=0,
                seen_at=self.clock.now,
                kv_tokens=engine.batch.kv_tokens if self._reports_kv else 0,
                prefill_most=engine.shape.chunk_tokens,
                kv_usage=engine.batch.kv_usage if self._reports_kv else 0.0,
            )
            for engine in self.engines.values()
        )
        self._act()

    def _arrive(self, arrival: Arrival, rest: Iterator[Arrival]) -> None:
        self._expect_next(rest)
        record = Record(arrival)
        request = Request(
            f"{len(self.records)}",
            arrival.at_s,
            arrival.at_s + self._deadline_s,
            prompt_tokens=arrival.prompt_tokens,
            output_tokens=self.forecast.output_tokens(arrival.max_tokens, arrival.tenant),
            tenant=arrival.tenant,
            weight=arrival.weight,
            priority=arrival.priority,
            cached_tokens=self.forecast.cached_tokens(arrival.prompt_tokens, arrival.tenant),
            streams=True,
        )
        self.records.append(record)
        try:
            self.dispatcher.submit(request, now=self.clock.now)
        except QueueFull:
            record.outcome, record.ended_at = Outcome.REJECTED, self.clock.now
            return
        self._open[request.id] = _Ongoing(request, record)
        self.service.wait(arrival.tenant, 1, now=self.clock.now)
        self._act()

    def _act(self) -> None:
        now = self.clock.now
        step = self.dispatcher.assign(now=now)
        for request in step.evictions:
            record = self._open.pop(request.id).record
            record.outcome, record.ended_at = Outcome.EVICTED, now
            self.service.wait(request.tenant, -1, now=now)
        for assignment in step.assignments:
            self._start(assignment)
        for replica_id in dict.fromkeys(assignment.replica_id for assignment in step.assignments):
            self.engines[replica_id].wake()

    def _start(self, assignment: Assignment) -> None:
        ongoing = self._open.pop(assignment.request.id)
        arrival = ongoing.record.arrival
        ongoing.record.started_at = self.clock.now
        self.service.wait(arrival.tenant, -1, now=self.clock.now)
        sequence = batch.Sequence(arrival.prompt_tokens, arrival.output_tokens, arrival.blocks)
        self._running[sequence] = ongoing
        self.engines[assignment.replica_id].add(sequence)

    def _on_step(self, step: batch.Step) -> None:
        has_begun = False
        for sequence in step.produced:
            ongoing = self._running[sequence]
            if sequence.produced == 1:
                self._begin(sequence, ongoing)
                has_begun = True
            if sequence.tokens > ongoing.request.tokens:
                self.dispatcher.grown(ongoing.request.id, sequence.tokens)
            tenant = ongoing.request.tenant
            self.service.serve(tenant, self._costs.output, now=self.clock.now)
        for sequence in step.finished:
            self._finish(sequence, self._running.pop(sequence))
        if step.finished or has_begun:
            self._act()

    def _begin(self, sequence: batch.Sequence, ongoing: _Ongoing) -> None:
        now = self.clock.now
        ongoing.record.first_token_at = now
        ongoing.record.cached_tokens = sequence.cached
        self.dispatcher.heard_first_token(ongoing.request.id, now=now)
        self.service.serve(ongoing.request.tenant, self._cost(sequence, output=0), now=now)

    def _finish(self, sequence: batch.Sequence, ongoing: _Ongoing) -> None:
        ongoing.record.outcome, ongoing.record.ended_at = Outcome.FINISHED, self.clock.now
        cost = self._cost(sequence, output=sequence.produced)
        self.dispatcher.release(ongoing.request.id, cost=cost)
        tenant = ongoing.request.tenant
        self.forecast.observe_output(sequence.produced, tenant)
        self.forecast.observe_cached(sequence.cached, sequence.prompt_tokens, tenant)

    def _cost(self, sequence: batch.Sequence, *, output: int) -> float:
        uncached = sequence.prompt_tokens - sequence.cached
        return self._costs.of(uncached=uncached, cached=sequence.cached, output=output)
