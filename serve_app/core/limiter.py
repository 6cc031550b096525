"""The limits of every tenant and key, in one gateway.

`try_reserve` decides from what this gateway holds; it neither waits nor asks. `message` and
`hear` are the two halves of an exchange with the ledger, `miss` stands for one that failed.
Without a ledger, or when it has been silent for `SILENCE_S`, the gateway is alone: it goes by
its share of every limit.
"""

from collections.abc import Iterator

from serve_app.core.budget import (
    Budget,
    LimitState,
    Needs,
    Reservation,
    Shortage,
    Tally,
    Whose,
    shortage,
)
from serve_app.core.exchange import EVEN, SILENCE_S, Answer, Key, Message
from serve_app.core.purse import Purse
from serve_app.core.tenant import Identity, RateLimits

SMALLEST_SWEEP = 64


class Limiter:
    """`gateway` names this incarnation of it, `gateways` is how many are expected."""

    def __init__(self, gateway: str, *, gateways: int = 1) -> None:
        self.gateway = gateway
        self.tally = Tally()
        self.is_alone = True
        self._budgets: dict[Whose, Budget] = {}
        self._sweep_at = SMALLEST_SWEEP
        self._generations = self._numbers = 0
        self._gateways = gateways
        self._heard_at: float | None = None
        self._sought_at: float | None = None
        # Who answered last, and when by its clock; who has been told of every purse.
        self._ledger, self._ledger_at = "", 0.0
        self._knows_all = self._being_told = ""

    def __repr__(self) -> str:
        how = "alone" if self.is_alone else "in touch"
        return f"<Limiter {len(self._budgets)} budgets, {self.tally.outstanding} tokens out, {how}>"

    def seek(self, *, now: float) -> None:
        """There is a ledger: it is given `SILENCE_S` to answer before this gateway is alone."""
        self.is_alone, self._sought_at = False, now

    def reserve(self, identity: Identity, tokens: int, *, now: float) -> Reservation:
        """Set one request and `tokens` aside, in the tenant's limits and the key's, or raise
        `RateLimited`."""
        found = self.try_reserve(identity, tokens, now=now)
        if isinstance(found, Shortage):
            raise found.error()
        return found

    def try_reserve(self, identity: Identity, tokens: int, *, now: float) -> Reservation | Shortage:
        budgets = self._budgets_of(identity, now)
        needs = [need for budget in budgets for need in budget.needs(tokens)]
        for purse, amount in needs:
            if not purse.covers(amount, now):
                return _refuse(needs, now)
        return Reservation(budgets, needs, tokens, self.tally, now=now)

    def states(self, identity: Identity, *, now: float) -> list[LimitState]:
        """Where the limits stand that refill, the tenant's and the key's."""
        budgets = self._budgets_of(identity, now)
        return [state for budget in budgets for state in budget.states(now)]

    def message(self, *, now: float) -> Message:
        """What to tell the ledger: of every purse in use, or of all, if it is a new ledger."""
        is_new = self._knows_all != self._ledger
        self._being_told = self._ledger
        self._numbers += 1
        self._told = [p for p in self._purses() if is_new or p.is_active()]
        claims = [purse.claim(now) for purse in self._told]
        return Message(self.gateway, self._numbers, self._ledger, self._ledger_at, claims)

    def hear(self, answer: Answer, *, now: float) -> None:
        """Take the answer to the last message."""
        self._knows_all = self._being_told
        self._ledger, self._ledger_at = answer.ledger, answer.at
        if not answer.is_ready:
            self._sought_at = now  # there is one, which will be ready soon
            self.miss(now=now)
            return
        if self.is_alone:
            for purse in self._purses():
                purse.own = None
        self.is_alone, self._heard_at, self._gateways = False, now, answer.gateways
        for purse, grant in zip(self._told, answer.grants, strict=True):
            purse.hear(grant, now)

    def miss(self, *, now: float) -> None:
        """The ledger did not answer."""
        since = self._heard_at if self._heard_at is not None else self._sought_at
        if self.is_alone or (since is not None and now - since < SILENCE_S):
            return
        self.is_alone = True
        for purse in self._purses():
            # What another gateway may have used since this one heard of it is not there.
            is_fresh = purse.heard_at == self._heard_at
            purse.stand_alone(purse.level(now) if is_fresh else 0.0, now)

    def _purses(self) -> Iterator[Purse]:
        for budget in self._budgets.values():
            yield from budget.purses

    def _budgets_of(self, identity: Identity, now: float) -> list[Budget]:
        tenant = identity.tenant
        self._forget_idle(now)  # before any is in hand
        found = [self._budget(("tenant", tenant.name), tenant.limits, now)]
        if identity.key_id:
            found.append(self._budget(("key", identity.key_id), identity.key_limits, now))
        return found

    def _budget(self, whose: Whose, limits: RateLimits, now: float) -> Budget:
        budget = self._budgets.get(whose)
        if budget is None:
            budget = self._budgets[whose] = Budget(whose, limits, self._new_purse, now=now)
        elif budget.limits is not limits:
            budget.reconfigure(limits, now=now)
        return budget

    def _new_purse(
        self, kind: type[Purse], key: Key, capacity: int, per_s: float, now: float
    ) -> Purse:
        self._generations += 1
        is_known = self._heard_at is not None
        share = (EVEN if is_known else 1.0) / self._gateways
        purse = kind(key, capacity, per_s, generation=self._generations, share=share, now=now)
        if self.is_alone:
            # Where others were heard of, they may have used all of it.
            purse.stand_alone(0.0 if is_known else capacity, now)
        return purse

    def _forget_idle(self, now: float) -> None:
        """Keep at most twice what is in use."""
        if len(self._budgets) >= self._sweep_at:
            self._budgets = {w: b for w, b in self._budgets.items() if not b.is_idle(now)}
            self._sweep_at = 2 * len(self._budgets) + SMALLEST_SWEEP

    def check_invariants(self, *, now: float) -> None:
        tally = self.tally
        assert tally.reserved == tally.settled + tally.abandoned + tally.outstanding
        assert tally.outstanding >= 0
        for purse in self._purses():
            purse.check_invariants(now)


def _refuse(needs: Needs, now: float) -> Shortage:
    """Note for the next message what is missing, and name what will take longest; what the
    ledger cannot help with goes before what it may."""
    missing = []
    for purse, amount in needs:
        if purse.covers(amount, now):
            purse.hold(amount, now)
        else:
            missing.append(shortage(purse, amount, now=now))
            purse.want(amount, now)
    return max(missing, key=lambda short: (not short.may_ask, short.retry_after_s))
