"""One gateway's part of one limit.

    balance = granted - spent - returned

The ledger has what nobody holds; a gateway spends only what it was granted, so nothing is
spent twice. What a request reserved and did not use goes back to the ledger, which knows
whether there is still room for it.

Without a ledger (`own`) a purse is a bucket of `share` of the limit; what is spent then
makes the balance negative, and the ledger takes it off when it is back.
"""

from math import floor

from serve_app.core.exchange import INTERVAL_S, Claim, Grant, Key
from serve_app.core.rate_limit import Bucket

RECENT_S = 0.5  # half-life of demand: with an exchange every 0.5 s, about that of one second
USUAL_S = 30.0  # the largest request of this time, and of as long before it, is a usual one
ACTIVE_S = 60.0  # unused for longer, a purse is not told of in exchanges
SMALLEST_SHARE = 0.01  # of a gateway that had been given none when the ledger fell silent
FRESH_S = 1.0  # what the ledger said longer ago may have changed


class Purse:
    """Part of a limit that refills. `share` holds until the ledger says another one."""

    def __init__(
        self, key: Key, capacity: int, per_s: float, *, generation: int, share: float, now: float
    ) -> None:
        self.key = key
        self.capacity = capacity
        self.per_s = per_s
        self.share = share
        self.granted = self.spent = self._returned = 0
        self.own: Bucket | None = None
        self.heard_at: float | None = None
        self._view = float(capacity)
        self._is_scarce = False
        self._asked = self._recent = self._largest = self._largest_before = 0
        self._needed = self._unit = self._keep = 0
        self._generation = generation
        self._claimed_at = self._touched_at = self._usual_since = now

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'/'.join(self.key)} {self.own or self.balance}>"

    @property
    def balance(self) -> int:
        return self.granted - self.spent - self._returned

    def covers(self, tokens: int, now: float) -> bool:
        if self.own is not None:
            return self.own.covers(tokens, now)
        return self.granted - self.spent - self._returned >= min(tokens, self.capacity)

    def take(self, tokens: int, now: float) -> None:
        self.spent += tokens
        self._asked += tokens
        self._largest = max(self._largest, tokens)
        self._touched_at = now
        if self.own is not None:
            self.own.take(tokens, now)

    def settle(self, reserved: int, used: int, now: float) -> None:
        """Of what was taken, `used` is spent; the rest goes back, or the balance pays more."""
        self._touched_at = now
        unused = reserved - used
        self.spent -= unused
        if unused > 0:
            self._returned += unused
        if self.own is not None:
            self.own.give(unused, now)

    def want(self, tokens: int, now: float) -> None:
        """A request is refused for want of `tokens` here, unless the ledger has them."""
        wanted = min(tokens, self.capacity)
        self._touched_at = now
        self._asked += wanted
        self._largest = max(self._largest, wanted)
        self._needed += wanted
        self._unit = min(self._unit or wanted, wanted)

    def hold(self, tokens: int, now: float) -> None:
        """What is here is not missing, but is needed as soon as the rest has come."""
        self._touched_at = now
        self._needed = max(self._needed, min(tokens, self.capacity))

    def wait_s(self, tokens: int, now: float) -> float:
        """Until `tokens` will be there, as far as this gateway can tell."""
        if self.own is not None:
            return self.own.wait_s(tokens, now)
        missing = min(tokens, self.capacity) - self._left(now)
        return max(INTERVAL_S, missing / self.per_s)

    def may_ask(self, tokens: int, now: float) -> bool:
        """Whether the ledger may have `tokens`. Where they are scarce, the next exchange brings
        this gateway's part; asking earlier would only bring load."""
        if self.own is not None:
            return False
        if self.heard_at is None or now - self.heard_at > FRESH_S:
            return True
        return not self._is_scarce and self._left(now) >= min(tokens, self.capacity)

    def level(self, now: float) -> float:
        """Of the ledger's bucket, had nobody taken anything since it was heard."""
        since_s = now - self.heard_at if self.heard_at is not None else 0.0
        return min(self.capacity, self._view + self.per_s * since_s)

    def remaining(self, now: float) -> float:
        """What the limit still lets through, in all gateways where that is known."""
        if self.own is not None:
            return self.own.remaining(now)
        return min(self.capacity, max(0.0, self._left(now)))

    def full_in_s(self, now: float) -> float:
        if self.own is not None:
            return self.own.wait_s(self.own.capacity, now)
        return max(0.0, (self.capacity - self._left(now)) / self.per_s)

    def is_active(self) -> bool:
        """Whether the ledger is told of it: until it has answered a minute after the last use."""
        if self.heard_at is None or self.balance:
            return True
        return self.heard_at < self._touched_at + ACTIVE_S

    def is_idle(self, now: float) -> bool:
        """Whether forgetting it loses nothing."""
        if self.own is not None:
            return not self.own.wait_s(self.own.capacity, now)
        return not self.is_active() and self.level(now) >= self.capacity

    def resize(self, capacity: int, per_s: float, now: float) -> None:
        """New limits; what is used stays used."""
        self._view += capacity - self.capacity
        self.capacity, self.per_s = capacity, per_s
        if self.own is not None:
            self.own.resize(*self._own_size(), now)

    def claim(self, now: float) -> Claim:
        passed_s = now - self._claimed_at
        self._recent = int(self._recent * 0.5 ** (passed_s / RECENT_S)) + self._asked
        self._asked, self._claimed_at = 0, now
        if now - self._usual_since >= USUAL_S:
            self._largest_before, self._largest, self._usual_since = self._largest, 0, now
        self._give_back(max(self._keep, self._needed), now)
        return Claim(
            self.key,
            self._generation,
            self.capacity,
            self.per_s,
            self.granted,
            self.spent,
            self._returned,
            min(self._recent, self.capacity),
            min(max(self._largest, self._largest_before), self.capacity),
            self._needed,
            self._unit,
            self.share,
            self.level(now),
        )

    def hear(self, grant: Grant, now: float) -> None:
        """Take what is granted, and give back what the ledger would rather have elsewhere."""
        self.granted = grant.granted
        self.share = grant.share
        self._keep = grant.keep
        self._view, self.heard_at = grant.level, now
        self._is_scarce = grant.is_scarce
        self._needed = self._unit = 0
        self._give_back(grant.keep, now)

    def _give_back(self, keep: int, now: float) -> None:
        surplus = self.balance - keep
        if surplus > 0:
            self._returned += surplus
            self._touched_at = now  # so that the ledger is told

    def _left(self, now: float) -> float:
        return self.level(now) + self.balance

    def stand_alone(self, level: float, now: float) -> None:
        """There is no ledger; of the whole limit, `level` may be left."""
        capacity, per_s = self._own_size()
        start = min(self.share * level, capacity) + self.balance
        self.own = Bucket(capacity, per_s, level=start, now=now)

    def _own_size(self) -> tuple[float, float]:
        share = max(SMALLEST_SHARE, self.share)
        return max(1.0, share * self.capacity), share * self.per_s

    def check_invariants(self, now: float) -> None:
        assert 0 <= self.remaining(now) <= self.capacity
        assert self._returned >= 0
        assert self.spent >= 0
        if self.own is not None:
            self.own.check_invariants(now)


class Requests(Purse):
    """Part of a limit of requests in a time. A request that ends stays counted."""

    def settle(self, _reserved: int, _used: int, now: float) -> None:
        self._touched_at = now


class Slots(Purse):
    """Part of a limit of requests at once; `spent` is how many wait or run here. Every gateway
    lets one in, or a client that sends one after another would have to wait for exchanges."""

    def covers(self, tokens: int, _now: float) -> bool:
        if self.own is not None:
            return self.spent < self.own.capacity
        return not self.spent or self.balance >= tokens

    def settle(self, reserved: int, _used: int, now: float) -> None:
        self.spent -= reserved
        self._touched_at = now

    def wait_s(self, _tokens: int, _now: float) -> float:
        """Nobody knows when a request ends."""
        return 1.0

    def level(self, _now: float) -> float:
        """A new ledger counts what gateways hold; it needs to know no level."""
        return self.capacity

    def remaining(self, _now: float) -> float:
        if self.own is not None:
            return max(0.0, self.own.capacity - self.spent)
        return min(self.capacity, max(0.0, self._view + self.balance))

    def is_idle(self, _now: float) -> bool:
        return not self.spent and (self.own is not None or not self.is_active())

    def _own_size(self) -> tuple[float, float]:
        return max(1.0, floor(self.share * self.capacity)), 0.0
