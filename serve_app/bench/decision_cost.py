"""`python -m serve_app.bench.decision_cost`: what one request costs the gateway in decisions.

A queue of 10,000 requests of 100 tenants in three priority classes, 8 replicas that are full.
Each request is timed at its four calls: it is submitted, the dispatcher looks for a replica in
vain, a running one is released, and the next one starts.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

from serve_app.core.dispatch import Dispatcher
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.core.tenant import Priority

WAITING = 10_000
TENANTS = 100
REPLICAS = 8
SLOTS = 128
REPORT_EVERY = 50  # requests


@dataclass(slots=True)
class Timings:
    """Seconds of each call, by what it did."""

    submit: list[float] = field(default_factory=list)
    look: list[float] = field(default_factory=list)
    release: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)


class Crowd:
    """A dispatcher whose replicas are full: of sequences, or of KV cache if that is less."""

    def __init__(self, *, kv_tokens: int, seed: int = 1) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - dice, not secrets
        self._kv_tokens = kv_tokens
        self._count = 0
        self._running: deque[str] = deque()
        bounds = Bounds(requests=10 * WAITING, tokens=10**12)
        rules = Rules(bounds, shares={Priority.NORMAL: 0.1, Priority.LOW: 0.02})
        routing = Routing(kv_headroom=0.05)
        self.it = Dispatcher(WaitingQueue(rules), routing, ttft_target_s=2.0)
        self._report()
        while len(self.it.queue) < WAITING:
            self.it.submit(self._request(), now=0.0)
            self._assign()

    def time(self, requests: int) -> Timings:
        timings = Timings()
        for n in range(requests):
            if n % REPORT_EVERY == 0:
                self._report()
            self._submit(self._request(), timings)
            _timed(self._assign, timings.look)
            waiting = len(self.it.queue)
            while len(self.it.queue) == waiting:  # a large one waits for several to end
                self._release(timings)
        return timings

    def _submit(self, request: Request, timings: Timings) -> None:
        _timed(lambda: self.it.submit(request, now=0.0), timings.submit)

    def _release(self, timings: Timings) -> None:
        ended, waiting = self._running.popleft(), len(self.it.queue)
        _timed(lambda: self.it.release(ended, cost=1000.0), timings.release)
        start: list[float] = []
        _timed(self._assign, start)
        if len(self.it.queue) == waiting - 1:
            timings.start += start

    def _assign(self) -> None:
        assignments = self.it.assign(now=0.0).assignments
        self._running.extend(assignment.request.id for assignment in assignments)

    def _request(self) -> Request:
        self._count += 1
        dice = self._dice
        return Request(
            f"{self._count}",
            0.0,
            dice.uniform(100, 300),
            prompt_tokens=dice.randint(10, 4000),
            output_tokens=dice.randint(100, 600),
            tenant=f"t{dice.randrange(TENANTS)}",
            weight=dice.choice([1.0, 2.0, 4.0]),
            priority=dice.choice(list(Priority)),
            streams=True,
        )

    def _report(self) -> None:
        self.it.observe(
            Replica(f"r{i}", SLOTS, running=0, seen_at=0.0, kv_tokens=self._kv_tokens)
            for i in range(REPLICAS)
        )


def _timed(call: Callable[[], object], seconds: list[float]) -> None:
    began = time.perf_counter()
    call()
    seconds.append(time.perf_counter() - began)


def main() -> None:
    print(f"{WAITING:,} waiting, {TENANTS} tenants, 3 priorities, {REPLICAS} full replicas")
    for name, kv_tokens in (("slots", 10_000_000), ("KV cache", 200_000)):
        timings = Crowd(kv_tokens=kv_tokens).time(5000)
        print(f"full of {name}, µs per call:")
        for call in Timings.__slots__:
            seconds = getattr(timings, call)
            p99 = quantiles(seconds, n=100)[-1]
            print(f"  {call:8} median {median(seconds) * 1e6:6.1f}   p99 {p99 * 1e6:6.1f}")


if __name__ == "__main__":
    main()
