"""Carries out a plan: rounds over levels over targets, warm-up apart.

    plan = Plan([Target.parse("a=http://127.0.0.1:8000")], Random(Words()), [Level("rate", 2)])
    print(markdown(measure(plan)))

Importing this imports vLLM, which takes seconds.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from serve_app.bench.answer import Answer, Measurement
from serve_app.bench.ask import Ask
from serve_app.bench.client import Client, withheld
from serve_app.bench.level import Level
from serve_app.bench.load import Effort, Send, arriving, effort, in_flight, old_objects_left_alone
from serve_app.bench.plan import Plan, mark
from serve_app.bench.preflight import find_models, probe
from serve_app.bench.progress import Progress, say
from serve_app.bench.results import Results


def measure(plan: Plan) -> Results:
    """Measure the plan's targets side by side.

    Raises `BenchError` before anything is measured. Ctrl-C ends the run: rounds that are
    complete are the result, and where there are none it is a `KeyboardInterrupt` as ever.
    """
    run = _Run(plan)
    try:
        with withheld(), old_objects_left_alone():
            asyncio.run(run.carry_out())
    except KeyboardInterrupt:
        if not run.whole_rounds:
            raise
        say(f"stopped; reporting the {run.whole_rounds} complete rounds of {plan.rounds}")
    return run.results()


class _Run:
    """The state of one run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._started_at = time.time()
        self._measurements: list[Measurement] = []
        self._notes: list[str] = []

    @property
    def whole_rounds(self) -> int:
        return len(self._measurements) // (len(self._plan.targets) * len(self._plan.levels))

    def results(self) -> Results:
        return Results(
            plan=self._plan,
            started_at=self._started_at,
            measurements=tuple(m for m in self._measurements if m.round < self.whole_rounds),
            notes=tuple(self._notes),
        )

    async def carry_out(self) -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(client) for client in self._clients()]
            await self._prepare(clients)
            with Progress(self._plan.total, self._plan.rounds) as progress:
                for number in range(self._plan.rounds):
                    for level in self._plan.levels:
                        await self._level(level, number, clients, progress)

    def _clients(self) -> Iterator[Client]:
        for target in self._plan.targets:
            yield Client(
                target,
                endpoint=self._plan.endpoint,
                fields=self._plan.fields,
                timeout_s=self._plan.timeout_s,
            )

    async def _prepare(self, clients: Sequence[Client]) -> None:
        """Models, lengths, and a first answer of each target."""
        whole = self._plan.workload
        longest_tokens = await find_models(clients, self._plan.model)
        targets = tuple(replace(client.target, model=client.model) for client in clients)
        self._plan = replace(self._plan.fitting(longest_tokens), targets=targets)
        if left_out := whole.size - self._plan.workload.size:
            self._notes.append(
                f"{left_out} of the trace's {whole.size} requests are longer than the "
                f"{longest_tokens} tokens that a target takes, and are left out"
            )
        ask = self._plan.probe_ask()
        for client in clients:
            await probe(client, ask)
            if not client.sends_usage:
                self._notes.append(
                    f"{client.target.name} sends no usage: output tokens are counted in chunks, "
                    "input tokens are as asked, and a stream that was cut short looks complete"
                )

    async def _level(
        self, level: Level, number: int, clients: Sequence[Client], progress: Progress
    ) -> None:
        """Every target once, in this round's order, with the same requests."""
        asks = self._plan.asks(level, number)
        for position in self._plan.order(number):
            client = clients[position]
            progress.begin(f"round {number + 1}/{self._plan.rounds} {level} {client.target.name}")
            await self._warm_up(level, number, client)
            marked = self._marked(asks, client, "measured")
            send = partial(client.send, bar=progress.bar)
            answers, spent = await self._load(level, number, marked, send)
            measurement = Measurement(
                target=client.target.name,
                level=level,
                round=number,
                duration_s=spent.duration_s,
                cpu_share=spent.cpu_share,
                answers=tuple(answers),
            )
            self._measurements.append(measurement)
            progress.end(measurement)

    async def _warm_up(self, level: Level, number: int, client: Client) -> None:
        asks = self._plan.warm_up_asks(level, number)
        marked = self._marked(asks, client, "warm-up")
        await in_flight(marked, client.send, concurrency=len(asks))

    async def _load(
        self, level: Level, number: int, asks: Sequence[Ask], send: Send
    ) -> tuple[list[Answer], Effort]:
        if level.concurrency:
            work = in_flight(asks, send, concurrency=level.concurrency)
        else:
            work = arriving(asks, send, arrivals_s=self._plan.arrivals_s(level, asks, number))
        with effort() as spent:
            answers = await work
        return answers, spent

    def _marked(self, asks: Sequence[Ask], client: Client, phase: str) -> list[Ask]:
        words = mark(self._started_at, len(self._measurements), client.target.name, phase)
        return [ask.marked(words) for ask in asks]
