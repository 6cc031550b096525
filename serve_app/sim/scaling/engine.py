"""A replica that jumps from one event to the next, so that a day of traffic takes minutes.

It is `engine.batch.Batch` without the steps in which nothing happens: while no prompt waits,
every running sequence gets a token a step and a step takes what `Rates.step_s` says, so the
next end of an answer is known, and the clock goes there. A step that reads prompts is played
as one event, with up to `chunk_tokens` of them, first come first served (`Rates.read_s`). With
`steps_ahead` what came during a step is in the one after the next. A request reaches the engine
`overhead_s` after it was sent, and keeps nobody else waiting for that.
KV cache is counted in tokens; when it is full the newest sequence is preempted, as in vLLM.
"""

import heapq
import math
from collections import deque
from functools import partial
from typing import Protocol

from serve_app.core.answers import Answers
from serve_app.sim.clock import Clock
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.job import Job
from serve_app.sim.scaling.prefixes import KvTokens

BLOCK_TOKENS = 512  # of the prefixes that traces know


class Hears(Protocol):
    """Who is told what happens on a replica."""

    def first_token(self, replica: "Replica", job: Job) -> None: ...

    def outgrew(self, replica: "Replica", job: Job, tokens: int) -> int:
        """It has `tokens` by now, more than expected; returns what is expected from here on."""
        ...

    def finished(self, replica: "Replica", job: Job) -> None: ...


class Replica:
    """One engine; `wake` it after `add`."""

    def __init__(self, name: str, rates: Rates, clock: Clock, hears: Hears) -> None:
        self.name = name
        self.rates = rates
        self.kv = KvTokens(rates.kv_tokens, BLOCK_TOKENS)
        self.waiting: deque[Job] = deque()
        self.preempted = 0
        self.decoded = 0  # tokens after the first ones
        self.decoding_s = 0.0  # that sequences spent on them, together
        self.reading_s = 0.0  # in which prompts were read
        self.answers = Answers()
        self._clock = clock
        self._hears = hears
        self._step_s = [rates.step_s(decodes) for decodes in range(rates.max_num_seqs + 1)]
        self._coming = 0  # sent, and not with the engine yet
        self._known = 0  # of those waiting, when the step under way began
        self._reading: deque[Job] = deque()  # prompts that have begun and are not read
        self._decoding: dict[Job, None] = {}  # the newest is last
        self._milestones: list[tuple[int, int, int, Job]] = []  # step, order, turn, job
        self._order = 0
        self._steps = 0  # so far
        self._began_at = 0.0  # the run of steps that is under way
        self._length = 0  # of that run, in steps; 0 is idle
        self._is_mixed = False
        self._is_ending = False
        self._event = 0

    def __repr__(self) -> str:
        return f"<Replica {self.name} {self.running} running, {len(self.waiting)} waiting>"

    @property
    def running(self) -> int:
        return len(self._decoding) + len(self._reading)

    @property
    def is_idle(self) -> bool:
        return not (self._decoding or self._reading or self.waiting or self._coming)

    @property
    def kv_usage(self) -> float:
        return min(1.0, self.kv.held / self.kv.capacity)

    def add(self, job: Job) -> None:
        if self.rates.overhead_s:
            self._coming += 1
            self._clock.after(self.rates.overhead_s, lambda: self._arrive(job))
        else:
            self.waiting.append(job)

    def _arrive(self, job: Job) -> None:
        self._coming -= 1
        self.waiting.append(job)
        self.wake()

    def wake(self) -> None:
        """Begin, or let the run of steps under way end with the step under way."""
        if self._is_ending:
            return
        if not self._length:
            self._begin()
        elif not self._is_mixed and self.waiting:
            step_s = self._step_s[len(self._decoding)]
            over = (self._clock.now - self._began_at) / step_s if step_s else self._length
            if (steps := max(1, math.ceil(over))) < self._length:
                self._run(steps, steps * step_s)

    def _begin(self) -> None:
        """From a boundary between two steps on."""
        prefill = self._read() if self.waiting or self._reading else 0
        has_news = len(self.waiting) > self._known
        self._known = len(self.waiting)
        self._began_at = self._clock.now
        self._is_mixed = prefill > 0
        decodes = len(self._decoding)
        if self._is_mixed:
            self._run(1, self.rates.read_s(prefill, decodes))
        elif decodes:
            steps = 1 if has_news else self._until_something_happens()
            self._run(steps, steps * self._step_s[decodes])
        else:
            self._length = 0

    def _run(self, steps: int, seconds: float) -> None:
        self._length = steps
        self._event += 1
        self._clock.at(self._began_at + seconds, partial(self._end, self._event))

    def _end(self, event: int) -> None:
        if event != self._event:
            return
        decodes, took_s = len(self._decoding), self._clock.now - self._began_at
        self.decoded += self._length * decodes
        self.decoding_s += took_s * decodes
        self.reading_s += took_s if self._is_mixed else 0.0
        self._steps += self._length
        self.kv.own += self._length * decodes
        self._length = 0
        self._is_ending = True  # whoever hears of it may add, and wake
        if self._is_mixed:
            self._begin_answers()
        self._pass_milestones()
        self._make_room()
        self._is_ending = False
        self._begin()

    def _read(self) -> int:
        """Choose what of the prompts is read in this step; returns how many tokens."""
        left = self.rates.chunk_tokens
        if not (self.rates.steps_ahead and (self._decoding or self._reading or self._known)):
            self._known = len(self.waiting)
        for job in self._reading:
            left -= job.read(left)
        while left and self._known and self.running < self.rates.max_num_seqs:
            job = self.waiting[0]
            if not self._start(job):
                break
            self.waiting.popleft()
            self._known -= 1
            self._reading.append(job)
            left -= job.read(left)
        return self.rates.chunk_tokens - left

    def _start(self, job: Job) -> bool:
        tokens = job.prompt_tokens + job.produced
        # The last token is always computed: its logits make the next one.
        hits = min(self.kv.cached(job.blocks), (tokens - 1) // BLOCK_TOKENS)
        shared = job.blocks[:hits]
        own = tokens - hits * BLOCK_TOKENS
        if self.kv.held + tokens > self.kv.capacity and self.running:
            return False
        self.kv.share(shared)
        self.kv.own += own
        self.kv.shrink()
        job.shared, job.own, job.unread = shared, own, own
        if not job.produced:
            job.cached = hits * BLOCK_TOKENS
        return True

    def _begin_answers(self) -> None:
        while self._reading and not self._reading[0].unread:
            job = self._reading.popleft()
            self._publish(job)
            job.produced += 1
            job.since = job.joined = self._steps
            self._decoding[job] = None
            if job.produced == 1:
                self._hears.first_token(self, job)
            self._note_milestone(job)

    def _publish(self, job: Job) -> None:
        """Let others find the whole blocks of a prompt that was read."""
        new = job.blocks[len(job.shared) : job.prompt_tokens // BLOCK_TOKENS]
        if new:
            job.shared += new
            job.own -= len(new) * BLOCK_TOKENS
            self.kv.own -= len(new) * BLOCK_TOKENS
            self.kv.share(new)

    def _produced(self, job: Job) -> int:
        return job.produced + self._steps - job.since

    def _note_milestone(self, job: Job) -> None:
        """The step after which it ends, or has more tokens than expected."""
        ends = job.output_tokens - job.produced
        outgrows = job.expected_tokens + 1 - job.prompt_tokens - job.produced
        step = job.since + max(0, min(ends, outgrows))
        self._order += 1
        heapq.heappush(self._milestones, (step, self._order, job.turn, job))

    def _until_something_happens(self) -> int:
        """Steps to the next milestone, or until the KV cache is full; at least 1."""
        while self._milestones[0][2] != self._milestones[0][3].turn:
            heapq.heappop(self._milestones)
        steps = self._milestones[0][0] - self._steps
        room = (self.kv.capacity - self.kv.held) // len(self._decoding)
        return max(1, min(steps, room))

    def _pass_milestones(self) -> None:
        while self._milestones and self._milestones[0][0] <= self._steps:
            _, _, turn, job = heapq.heappop(self._milestones)
            if turn != job.turn:
                continue
            job.produced, job.since = self._produced(job), self._steps
            if job.produced >= job.output_tokens:
                del self._decoding[job]
                self._leave(job)
                self._hears.finished(self, job)
            else:
                tokens = job.prompt_tokens + job.produced
                job.expected_tokens = self._hears.outgrew(self, job, tokens)
                self._note_milestone(job)

    def _make_room(self) -> None:
        while len(self._decoding) > 1 and self.kv.held + len(self._decoding) > self.kv.capacity:
            job = next(reversed(self._decoding))
            job.produced = self._produced(job)
            del self._decoding[job]
            self._leave(job)
            self.waiting.appendleft(job)
            self.preempted += 1
        self.kv.shrink()

    def _leave(self, job: Job) -> None:
        self.kv.own -= job.own + self._steps - job.joined
        self.kv.unshare(job.shared)
        job.shared = ()
        job.turn += 1
