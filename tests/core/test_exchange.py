"""Gateways, a ledger and messages that arrive, get lost and are overtaken, in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serve_app.core.budget import Reservation
from serve_app.core.exchange import EVEN, Answer, Message
from serve_app.core.ledger import Ledger
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant

GATEWAYS = (0, 1, 2)
CONCURRENT = 5
OF_KEY = RateLimits(tokens_per_min=900, concurrent=3)
OF_TENANT = RateLimits(
    requests_per_min=120, tokens_per_min=1200, tokens_per_day=9000, concurrent=CONCURRENT
)


class Exchanges(RuleBasedStateMachine):
    """Three gateways that are always heard again before they are silent."""

    @initialize()
    def start(self) -> None:
        self.now = 100.0
        self.ledger = Ledger("one", now=0.0)
        self.limiters = [Limiter(f"g{i}", gateways=len(GATEWAYS)) for i in GATEWAYS]
        self.open: list[tuple[int, Reservation]] = []
        self.late: list[Message] = []
        self.net, self.refilled = 0.0, 0.0
        for gateway in (*GATEWAYS, *GATEWAYS):  # twice: the first has not seen the third
            self.limiters[gateway].seek(now=self.now)
            self.exchange(gateway)

    @rule(gateway=st.sampled_from(GATEWAYS), key=st.sampled_from("ab"), tokens=st.integers(0, 900))
    def begin(self, gateway: int, key: str, tokens: int) -> None:
        who = Identity(Tenant("t", limits=OF_TENANT), key, OF_KEY)
        found = self.limiters[gateway].try_reserve(who, tokens, now=self.now)
        if not isinstance(found, Reservation) and found.may_ask:
            self.exchange(gateway)
            found = self.limiters[gateway].try_reserve(who, tokens, now=self.now)
        if isinstance(found, Reservation):
            self.open.append((gateway, found))
            self.net += tokens
        elif found.limit == "concurrent":
            assert any(gateway == its for its, _ in self.open)  # each lets one in

    @rule(data=st.data(), used=st.integers(0, 1000))
    def end(self, data: st.DataObject, used: int) -> None:
        if self.open:
            its = data.draw(st.sampled_from(self.open))
            self.open.remove(its)
            its[1].settle(used, now=self.now)
            self.net -= max(0, its[1].tokens - used)  # an overrun is paid from refill

    @rule(gateway=st.sampled_from(GATEWAYS))
    def exchange(self, gateway: int) -> None:
        self.limiters[gateway].hear(self.tell(gateway), now=self.now)

    @rule(gateway=st.sampled_from(GATEWAYS))
    def exchange_whose_answer_is_lost(self, gateway: int) -> None:
        self.tell(gateway)
        self.limiters[gateway].miss(now=self.now)

    @rule(gateway=st.sampled_from(GATEWAYS))
    def exchange_whose_message_is_late(self, gateway: int) -> None:
        self.late.append(self.limiters[gateway].message(now=self.now))
        self.limiters[gateway].miss(now=self.now)

    @rule()
    def late_messages_arrive(self) -> None:
        for message in self.late:
            self.ledger.exchange(message, now=self.now)
        self.late = []

    @rule(seconds=st.floats(0, 0.4))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule(seconds=st.integers(2, 15))
    def wait_long(self, seconds: int) -> None:
        for _ in range(seconds):
            self.pass_time(1.0)
            for gateway in GATEWAYS:
                self.exchange(gateway)

    def pass_time(self, seconds: float) -> None:
        """Nobody is silent for long enough to be alone."""
        self.now += seconds
        self.refilled += seconds * 20
        for gateway, limiter in enumerate(self.limiters):
            if limiter._heard_at is None or self.now - limiter._heard_at > 1.0:
                self.exchange(gateway)

    def tell(self, gateway: int) -> Answer:
        return self.ledger.exchange(self.limiters[gateway].message(now=self.now), now=self.now)

    @invariant()
    def books_are_sound(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.check_invariants(now=self.now)
            for limiter in self.limiters:
                limiter.check_invariants(now=self.now)

    @invariant()
    def nothing_is_spent_twice(self) -> None:
        if hasattr(self, "ledger"):
            assert self.net <= 1200 + self.refilled + 1e-6
            assert len(self.open) <= CONCURRENT + len(GATEWAYS) - 1

    @invariant()
    def shares_are_never_more_than_the_whole(self) -> None:
        if not hasattr(self, "ledger"):
            return
        key = ("tenant", "t", "tokens_per_min")
        shares = [
            next((p.share for p in limiter._purses() if p.key == key), EVEN / len(GATEWAYS))
            for limiter in self.limiters
        ]
        assert sum(shares) <= 1 + 1e-9


TestExchanges = Exchanges.TestCase
TestExchanges.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


class Chaos(Exchanges):
    """Ledgers and gateways start anew, fall silent and are alone: the books stay sound."""

    @rule()
    def the_ledger_starts_anew(self) -> None:
        self.ledger = Ledger(f"from {self.now}", now=self.now)

    @rule(gateway=st.sampled_from(GATEWAYS))
    def a_gateway_starts_anew(self, gateway: int) -> None:
        self.open = [its for its in self.open if its[0] != gateway]
        self.limiters[gateway] = Limiter(f"g{gateway} of {self.now}", gateways=len(GATEWAYS))

    @rule(seconds=st.floats(0, 90), gateway=st.sampled_from(GATEWAYS))
    def all_but_one_are_silent(self, seconds: float, gateway: int) -> None:
        self.now += seconds
        for number, limiter in enumerate(self.limiters):
            if number != gateway:
                limiter.miss(now=self.now)
        self.exchange(gateway)

    def nothing_is_spent_twice(self) -> None:
        """Not while gateways come and go as they like; see test_ledger for the bounds."""

    def shares_are_never_more_than_the_whole(self) -> None:
        """A gateway that nobody has heard of has the share that it expects."""


TestChaos = Chaos.TestCase
TestChaos.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
