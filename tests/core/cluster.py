"""Three gateways and a ledger, which hear each other at once, and when they are told to."""

from serve_app.core.budget import Reservation
from serve_app.core.exchange import INTERVAL_S, SILENCE_S
from serve_app.core.ledger import Ledger
from serve_app.core.limiter import Limiter
from serve_app.core.purse import Purse
from serve_app.core.tenant import Identity, RateLimits, Tenant


class Cluster:
    """Gateways "a", "b" and "c"; a tenant with `limits`."""

    def __init__(self, **limits: int) -> None:
        self.now = 100.0
        self.ledger = Ledger("first", now=0.0)
        self.gateways = {name: Limiter(name, gateways=3) for name in "abc"}
        self.limits = RateLimits(**limits)
        for gateway in self.gateways.values():
            gateway.seek(now=self.now)
        self.exchange()
        self.exchange()  # by now all know that they are three

    @property
    def who(self) -> Identity:
        return Identity(Tenant("t", limits=self.limits))

    def exchange(self, names: str = "abc") -> None:
        for name in names:
            message = self.gateways[name].message(now=self.now)
            answer = self.ledger.exchange(message, now=self.now)
            self.gateways[name].hear(answer, now=self.now)
        self.ledger.check_invariants(now=self.now)

    def wait(self, seconds: float, names: str = "abc") -> None:
        """Time in which only these gateways speak."""
        for _ in range(int(seconds / INTERVAL_S)):
            self.now += INTERVAL_S
            self.exchange(names)

    def reserve(self, name: str, tokens: int = 1) -> Reservation:
        """As a gateway does: ask once for what is not there. Raises `RateLimited`."""
        gateway = self.gateways[name]
        found = gateway.try_reserve(self.who, tokens, now=self.now)
        if isinstance(found, Reservation):
            return found
        if found.may_ask:
            self.exchange(name)
        return gateway.reserve(self.who, tokens, now=self.now)

    def use(self, name: str, tokens: int) -> None:
        self.reserve(name, tokens).settle(tokens, now=self.now)

    def purse(self, name: str) -> Purse:
        return next(self.gateways[name]._purses())

    def fall_silent(self, names: str = "abc") -> None:
        self.now += SILENCE_S
        for name in names:
            self.gateways[name].miss(now=self.now)

    def start_ledger_anew(self) -> None:
        """It listens, and then it answers."""
        self.ledger = Ledger("second", now=self.now)
        self.wait(2.5)
