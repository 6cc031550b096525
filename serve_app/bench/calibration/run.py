"""Carries out a calibration. Importing this imports vLLM, which takes seconds.

Each round takes turns: prompts alone, decode steps, and prompts beside somebody who decodes, then a
load that checks the fit, so that whatever else happens on the machine happens to all of them. The
first load, all requests at once, says what the endpoint can do, and the others are shares of that.
"""

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from itertools import count

from serve_app.bench.answer import Answer
from serve_app.bench.ask import Ask
from serve_app.bench.calibration import loads
from serve_app.bench.calibration.asked import SHARES, Asked
from serve_app.bench.calibration.beside import Timed, readings
from serve_app.bench.calibration.full import full_steps
from serve_app.bench.calibration.settled import settled_step_s
from serve_app.bench.calibration.sizes import sizes
from serve_app.bench.client import Client, withheld
from serve_app.bench.errors import BenchError
from serve_app.bench.load import arriving, in_flight, old_objects_left_alone
from serve_app.bench.plan import mark
from serve_app.bench.preflight import find_models, probe
from serve_app.bench.progress import say
from serve_app.calibration.document import Calibration, Sizes
from serve_app.calibration.points import Decode, Load, Prompt, Reading, Sent

ALL_AT_ONCE = 0.0
BESIDE_MANY = 3  # prompts of a round; each is some steps of all others
CROWD = 1.1  # of the time that a crowd took to begin: another one may take a little longer


def calibrate(asked: Asked) -> Calibration:
    """Measure one endpoint; raises `BenchError` where it cannot be measured."""
    with withheld(), old_objects_left_alone():
        return asyncio.run(_carry_out(asked))


async def _carry_out(asked: Asked) -> Calibration:
    plan = asked.plan
    [target] = plan.targets
    async with Client(
        target, endpoint=plan.endpoint, fields=plan.fields, timeout_s=plan.timeout_s
    ) as client:
        longest_tokens = await find_models([client], plan.model)
        asked.longest.plan.fitting(longest_tokens)
        await probe(client, plan.probe_ask())
        run = _Run(asked, client, sizes(await client.metrics(), asked.given))
        return await run.carry_out()


class _Run:
    """The state of one calibration."""

    def __init__(self, asked: Asked, client: Client, found: Sizes) -> None:
        self._asked = asked
        self._client = client
        self._sizes = found
        self._concurrencies = asked.concurrencies(found)
        # A prompt beside them needs a place, too.
        with_room = [n for n in self._concurrencies if n < found.max_num_seqs]
        self._many = max(with_room, default=self._concurrencies[0])
        self._prompts: list[Prompt] = []
        self._decodes: list[Decode] = []
        self._readings: list[Reading] = []
        self._loads: list[Load] = []
        self._per_s = 0.0  # requests, of all at once
        self._crowded_s = math.inf  # until many decode
        self._marks = (mark(time.time(), number) for number in count())

    async def carry_out(self) -> Calibration:
        await self._crowd(self._concurrencies[-1], -1)  # opens connections, compiles what is late
        for number in range(self._asked.plan.rounds):
            await self._round(number)
        return Calibration(self._sizes, self._prompts, self._decodes, self._readings, self._loads)

    async def _round(self, number: int) -> None:
        of = f"round {number + 1}/{self._asked.plan.rounds}"
        for place, share in enumerate((ALL_AT_ONCE, *SHARES)):
            prompts = await self._alone(number, place)
            decodes = await self._together(number, place)
            self._prompts += prompts
            self._decodes += decodes
            read = await self._beside(number, place)
            load = await self._load(share, number)
            self._readings += read
            self._loads.append(load)
            say(
                f"{of}  prompts alone {_milliseconds([p.ttft_s for p in prompts])}, decode steps "
                f"{_milliseconds([d.step_s for d in decodes])}, that read, too "
                f"{_milliseconds([r.step_s for r in read])}, {len(load.requests)} requests, "
                f"{load}"
            )

    async def _alone(self, number: int, place: int) -> list[Prompt]:
        """One of each length."""
        found = []
        for tokens in self._asked.prompt_lengths:
            ask = loads.prompt(self._asked, tokens, number, place)
            [answer] = await self._answers([ask], concurrency=1)
            found.append(Prompt(answer.input_tokens, answer.ttft_s))
        return found

    async def _together(self, number: int, place: int) -> list[Decode]:
        """Every third number of sequences, so that a round has each of them once."""
        found = []
        for sequences in self._concurrencies[place :: 1 + len(SHARES)]:
            answers = await self._crowd(sequences, number)
            found += [Decode(sequences, s) for a in answers if (s := settled_step_s(a))]
        return found

    async def _beside(self, number: int, place: int) -> list[Reading]:
        """What steps read: while one sequence decodes; and once a round full ones, and, when it is
        known how long a step of many takes, while many do."""
        if not self._decodes:
            raise BenchError(
                "answers of one token have no decode steps: --output-tokens 16 or more"
            )
        found = await self._beside_one(number, place)
        if place == 0:
            found += await self._full(number, place)
        if place == len(SHARES):
            found += await self._beside_many(number, place)
        return found

    async def _beside_one(self, number: int, place: int) -> list[Reading]:
        """A prompt of each length."""
        lengths = self._asked.in_a_step(self._sizes)
        wait_s = 2 * max(prompt.ttft_s for prompt in self._prompts)
        tokens = math.ceil(wait_s * (2 + len(lengths)) / self._step_s(self._concurrencies[0]))
        stream = loads.decoding(self._asked, tokens, number, place)
        return await self._watched([stream], wait_s, lengths, number, place)

    async def _beside_many(self, number: int, place: int) -> list[Reading]:
        """Some prompts of the mean length, once all decode."""
        streams = loads.together(self._asked, self._many, number)
        lengths = [self._asked.work.input_tokens] * BESIDE_MANY
        return await self._watched(streams, CROWD * self._crowded_s, lengths, number, place)

    async def _watched(
        self, streams: list[Ask], wait_s: float, lengths: list[int], number: int, place: int
    ) -> list[Reading]:
        """Prompts one after the other, `wait_s` after `streams` were asked for."""
        prompts: list[Timed] = []
        async with asyncio.TaskGroup() as group:
            decoding = [group.create_task(self._timed(ask)) for ask in self._marked(streams)]
            await asyncio.sleep(wait_s)
            for i, tokens in enumerate(lengths):
                ask = loads.prompt(self._asked, tokens, number, place, len(streams), i)
                prompts += [await self._timed(*self._marked([ask]))]
        timed = [task.result() for task in decoding]
        _complete([each.answer for each in (*timed, *prompts)])
        return readings(timed, prompts, step_s=self._step_s(len(streams)))

    async def _full(self, number: int, place: int) -> list[Reading]:
        lengths = self._asked.in_full_steps(self._sizes)
        asks = [loads.prompt(self._asked, n, number, place, 0, i) for i, n in enumerate(lengths)]
        prompts = await asyncio.gather(*map(self._timed, self._marked(asks)))
        _complete([prompt.answer for prompt in prompts])
        return full_steps(prompts, chunk_tokens=self._sizes.chunk_tokens)

    def _step_s(self, sequences: int) -> float:
        return statistics.median(d.step_s for d in self._decodes if d.sequences == sequences)

    async def _timed(self, ask: Ask) -> Timed:
        sent_at_s = time.perf_counter()
        return Timed(sent_at_s, await self._client.send(ask))

    async def _crowd(self, sequences: int, number: int) -> list[Answer]:
        asks = loads.together(self._asked, sequences, number)
        answers = await self._answers(asks, concurrency=sequences)
        if sequences == self._many:
            self._crowded_s = min(self._crowded_s, max(answer.ttft_s for answer in answers))
        return answers

    async def _load(self, share: float, number: int) -> Load:
        asks = self._marked(loads.mixed(self._asked, share, number))
        at_s = loads.arrivals_s(self._asked, share, share * self._per_s, number)
        answers = _complete(await arriving(asks, self._client.send, arrivals_s=at_s))
        load = Load(share, tuple(map(_sent, at_s, answers)))
        if not self._per_s:
            self._per_s = len(answers) / max(sent.ended_at_s for sent in load.requests)
        return load

    async def _answers(self, asks: Sequence[Ask], *, concurrency: int) -> list[Answer]:
        marked = self._marked(asks)
        return _complete(await in_flight(marked, self._client.send, concurrency=concurrency))

    def _marked(self, asks: Sequence[Ask]) -> list[Ask]:
        words = next(self._marks)
        return [ask.marked(words) for ask in asks]


def _complete(answers: list[Answer]) -> list[Answer]:
    failed = [answer for answer in answers if answer.error]
    if failed:
        raise BenchError(
            f"{len(failed)} of {len(answers)} requests failed ({failed[0].error}); nothing can be "
            "fitted to what did not run: ask for less, or see to the endpoint"
        )
    return answers


def _sent(at_s: float, answer: Answer) -> Sent:
    return Sent(
        at_s, answer.input_tokens, answer.output_tokens, answer.ttft_s, answer.tpot_s or 0.0
    )


def _milliseconds(values_s: Sequence[float]) -> str:
    least, most = (f"{each(values_s, default=0.0) * 1e3:.1f}" for each in (min, max))
    return f"{least} to {most} ms"
