"""Gateways and a ledger on a virtual clock: messages take time, get lost, and cross."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from serve_app.core.budget import Reservation
from serve_app.core.exchange import INTERVAL_S, Answer, Message
from serve_app.core.ledger import Ledger
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant

TIMEOUT_S, RETRY_S = 0.5, 0.1
TICK_S = 0.05
LIMIT = 6000  # tokens a minute
PER_S = LIMIT / 60

Traffic = Callable[[float, int], float]
"""How many times the limit clients ask of a gateway (by its number) at a time."""


@dataclass
class Gateway:
    limiter: Limiter
    waits_for: int = 0  # the message whose answer is awaited; 0 is none
    waiting: list[int] = field(default_factory=list)  # requests, by their tokens
    owed: float = 0.0  # demand that is not a whole request yet


class World:
    """One tenant's traffic; time moves in `run`."""

    def __init__(
        self,
        gateways: int,
        traffic: Traffic,
        *,
        sizes: tuple[int, int] = (10, 100),
        delay_s: float = 0.002,
        loss: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.admitted: list[tuple[float, int]] = []
        self.exchanges = self.refused = 0
        self.gateways: dict[int, Gateway] = {}
        self.ledger: Ledger | None = Ledger("first", now=0.0)
        self._dice = random.Random(seed)
        self._expected, self._traffic, self._sizes = gateways, traffic, sizes
        self._delay_s, self._loss = delay_s, loss
        self._identity = Identity(Tenant("t", limits=RateLimits(tokens_per_min=LIMIT)))
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for number in range(gateways):
            self.join(number)

    def at(self, time: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, act))

    def run(self, until: float) -> "World":
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = until
        return self

    def join(self, number: int) -> None:
        gateway = Gateway(Limiter(f"{number} of {self.now}", gateways=self._expected))
        gateway.limiter.seek(now=self.now)
        self.gateways[number] = gateway
        self._beat(gateway, first_s=self._dice.uniform(0.01, INTERVAL_S))
        self._arrive(number, gateway)

    def leave(self, number: int) -> None:
        del self.gateways[number]

    def lose_ledger(self, *, for_s: float = float("inf")) -> None:
        self.ledger = None
        self.at(self.now + for_s, self._start_ledger)

    def _start_ledger(self) -> None:
        self.ledger = Ledger(f"of {self.now}", now=self.now)

    def _beat(self, gateway: Gateway, first_s: float = INTERVAL_S) -> None:
        if gateway in self.gateways.values():
            self._ask(gateway)
            self.at(self.now + first_s, lambda: self._beat(gateway))

    def _arrive(self, number: int, gateway: Gateway) -> None:
        if self.gateways.get(number) is not gateway:
            return
        asked = self._traffic(self.now, number) * PER_S * TICK_S
        gateway.owed += asked * self._dice.uniform(0, 2)
        while gateway.owed > 0:
            tokens = self._dice.randint(*self._sizes)
            gateway.owed -= tokens
            self._reserve(gateway, tokens)
        self.at(self.now + TICK_S, lambda: self._arrive(number, gateway))

    def _reserve(self, gateway: Gateway, tokens: int) -> None:
        """What `serving.ledger.LedgerClient.reserve` does."""
        found = gateway.limiter.try_reserve(self._identity, tokens, now=self.now)
        if isinstance(found, Reservation):
            found.settle(tokens, now=self.now)
            self.admitted.append((self.now, tokens))
        elif found.may_ask:
            gateway.waiting.append(tokens)
            self._ask(gateway)
        else:
            self.refused += 1

    def _ask(self, gateway: Gateway) -> None:
        if not gateway.waits_for:
            gateway.waits_for = -1  # a message that also tells of what else happens now
            self.at(self.now, lambda: self._tell(gateway))

    def _tell(self, gateway: Gateway) -> None:
        self.exchanges += 1
        message = gateway.limiter.message(now=self.now)
        gateway.waits_for = message.number
        self.at(self.now + TIMEOUT_S, lambda: self._end(gateway, message, None))
        self._send(lambda: self._hear(gateway, message))

    def _send(self, arrive: Callable[[], None]) -> None:
        if self._dice.random() >= self._loss:
            self.at(self.now + self._dice.uniform(0.5, 1.5) * self._delay_s, arrive)

    def _hear(self, gateway: Gateway, message: Message) -> None:
        if self.ledger is not None:
            answer = self.ledger.exchange(message, now=self.now)
            self.ledger.check_invariants(now=self.now)
            self._send(lambda: self._end(gateway, message, answer))

    def _end(self, gateway: Gateway, message: Message, answer: Answer | None) -> None:
        if gateway.waits_for != message.number:
            return
        gateway.waits_for = 0
        if answer is None:
            gateway.limiter.miss(now=self.now)
        else:
            gateway.limiter.hear(answer, now=self.now)
        gateway.limiter.check_invariants(now=self.now)
        is_ready = answer is not None and answer.is_ready
        self.at(self.now + (0.0 if is_ready else RETRY_S), lambda: self._try_again(gateway))

    def _try_again(self, gateway: Gateway) -> None:
        waiting, gateway.waiting = gateway.waiting, []
        if gateway in self.gateways.values():
            for tokens in waiting:
                self._reserve(gateway, tokens)

    def excess(self, *, slack: float, shortest_s: float) -> float:
        """In the worst window of at least `shortest_s`, by what part of the burst more was let in
        than slack × rate × T + burst; negative is less.

        With f(t) = let in until t - slack × rate × t, that is the largest f(end) - f(start).
        """
        total, worst, lowest = 0, 0.0, float("inf")
        starts: list[tuple[float, float]] = []  # not yet far enough in the past
        for time, tokens in self.admitted:
            starts.append((time, total - slack * PER_S * time))
            total += tokens
            while starts and starts[0][0] <= time - shortest_s:
                lowest = min(lowest, starts.pop(0)[1])
            worst = max(worst, total - slack * PER_S * time - lowest)
        return round(worst / LIMIT - 1, 9)

    def used(self, start: float, end: float) -> float:
        """What was let in, as a part of what the limit allows in that time."""
        tokens = sum(tokens for time, tokens in self.admitted if start <= time < end)
        return tokens / ((end - start) * PER_S)
