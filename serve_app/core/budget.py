"""What one tenant, or one key, may use: each of its limits, as a purse of this gateway.

A request reserves an estimate in every purse, all or nothing, and ends by the first of
`settle` and `abandon`. Tokens that it did not use come back; the request stays counted.

    reserved = settled + abandoned + outstanding
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from serve_app.core.exchange import Key
from serve_app.core.purse import Purse, Requests, Slots
from serve_app.core.tenant import RateLimits
from serve_app.errors import RateLimited

Whose = tuple[str, str]
"""("tenant" or "key", its name)."""

Needs = Sequence[tuple[Purse, int]]
"""What one request takes from each purse."""

NewPurse = Callable[[type[Purse], Key, int, float, float], Purse]
"""Makes a purse from its kind, key, capacity, rate, and the time."""

DAY_S = 86_400.0
_KINDS: dict[str, tuple[type[Purse], float, str]] = {
    "requests_per_min": (Requests, 60.0, "requests a minute"),
    "tokens_per_min": (Purse, 60.0, "tokens a minute"),
    "tokens_per_day": (Purse, DAY_S, "tokens a day"),
    "concurrent": (Slots, float("inf"), "requests at once"),
}
"""Each limit: how it is counted, the time in which all of it refills, how it is said."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a request cannot be let in now; `may_ask` says that the ledger may have more."""

    whose: Whose
    limit: str
    capacity: int
    needed: int
    remaining: float
    retry_after_s: float
    may_ask: bool

    def error(self) -> RateLimited:
        kind, name = self.whose
        _, _, words = _KINDS[self.limit]
        return RateLimited(
            f"{kind} {name} may use {self.capacity} {words} ({self.limit}); "
            f"{int(self.remaining)} are left and this request needs {self.needed}; "
            f"try again in {ceil(self.retry_after_s)} s",
            retry_after_s=self.retry_after_s,
        )


def shortage(purse: Purse, needed: int, *, now: float) -> Shortage:
    kind, name, limit = purse.key
    return Shortage(
        (kind, name),
        limit,
        purse.capacity,
        needed,
        purse.remaining(now),
        purse.wait_s(needed, now),
        purse.may_ask(needed, now),
    )


@dataclass(frozen=True, slots=True)
class LimitState:
    """Where one limit stands; `reset_s` is the time until all of it is there again."""

    whose: Whose
    limit: str
    capacity: int
    remaining: int
    reset_s: float


class Budget:
    """The purses of one tenant or key."""

    __slots__ = ("_counted", "_metered", "_new", "_whose", "limits", "outstanding", "purses")

    def __init__(self, whose: Whose, limits: RateLimits, new: NewPurse, *, now: float) -> None:
        self.outstanding = 0  # reservations; with any, there is something to come back
        self.purses: list[Purse] = []
        self._new = new
        self._whose = whose
        self.reconfigure(limits, now=now)

    def reconfigure(self, limits: RateLimits, *, now: float) -> None:
        """What is used of a limit that stays is used of the new one too."""
        self.limits = limits
        old = {purse.key[2]: purse for purse in self.purses}
        self.purses = [
            self._purse(limit, capacity, old.get(limit), now)
            for limit in _KINDS
            if (capacity := getattr(limits, limit)) is not None
        ]
        self._metered = [purse for purse in self.purses if type(purse) is Purse]
        self._counted = [(purse, 1) for purse in self.purses if type(purse) is not Purse]

    def needs(self, tokens: int) -> Needs:
        return [*self._counted, *[(purse, tokens) for purse in self._metered]]

    def states(self, now: float) -> Iterator[LimitState]:
        """Of the limits that refill."""
        for purse in self.purses:
            if purse.per_s:
                left, reset_s = int(purse.remaining(now)), purse.full_in_s(now)
                yield LimitState(self._whose, purse.key[2], purse.capacity, left, reset_s)

    def is_idle(self, now: float) -> bool:
        return not self.outstanding and all(purse.is_idle(now) for purse in self.purses)

    def _purse(self, limit: str, capacity: int, old: Purse | None, now: float) -> Purse:
        kind, period_s, _ = _KINDS[limit]
        if old is None:
            return self._new(kind, (*self._whose, limit), capacity, capacity / period_s, now)
        if old.capacity != capacity:
            old.resize(capacity, capacity / period_s, now)
        return old


@dataclass(slots=True)
class Tally:
    """Tokens reserved in one gateway since it started, and what became of them."""

    reserved: int = 0
    settled: int = 0
    abandoned: int = 0
    outstanding: int = 0


class Reservation:
    """What one request has set aside; ends by the first of `settle` and `abandon`."""

    __slots__ = ("_budgets", "_is_open", "_needs", "_tally", "tokens")

    def __init__(
        self, budgets: Sequence[Budget], needs: Needs, tokens: int, tally: Tally, *, now: float
    ) -> None:
        self.tokens = tokens
        self._budgets = budgets
        self._needs = needs  # purses of now: a limit that comes later has nothing of this request
        self._is_open = True
        self._tally = tally
        for purse, amount in needs:
            purse.take(amount, now)
        for budget in budgets:
            budget.outstanding += 1
        tally.reserved += tokens
        tally.outstanding += tokens

    def settle(self, tokens: int, *, now: float) -> None:
        """The request used `tokens`; more than it reserved is a debt."""
        if self._is_open:
            self._tally.settled += self.tokens
            self._end(tokens, now)

    def abandon(self, *, now: float) -> None:
        """The request used nothing, or nobody knows what."""
        if self._is_open:
            self._tally.abandoned += self.tokens
            self._end(0, now)

    def _end(self, used: int, now: float) -> None:
        self._is_open = False
        self._tally.outstanding -= self.tokens
        for purse, reserved in self._needs:
            purse.settle(reserved, used, now)
        for budget in self._budgets:
            budget.outstanding -= 1
