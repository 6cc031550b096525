"""One limit of one tenant or key, over all gateways.

    level + Σ held ≤ capacity        held = granted - spent - returned, per gateway

What nobody holds is in the bucket, which refills. A gateway is granted what it needs now,
and a little for what it will need before it speaks again. Where there is less than what all
need, each gets the part of it that is its part of recent demand; but never less than lets one
request through, and what cannot do that goes back, so that no two wait for each other.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from serve_app.core.exchange import EVEN, Claim, Grant
from serve_app.core.rate_limit import Bucket

AHEAD = 4
"""All gateways together may hold a quarter of what is left for requests to come."""


@dataclass(slots=True)
class Holder:
    """A gateway's part, as it last said; `granted` is what it will hear."""

    generation: int
    granted: int
    spent: int
    returned: int
    recent: int = 0
    usual: int = 0
    needed: int = 0
    unit: int = 0
    share: float = 0.0
    told: float = 0.0  # a share that may be in force by now, or not yet

    @property
    def held(self) -> int:
        return self.granted - self.spent - self.returned

    @property
    def missing(self) -> int:
        return max(0, self.needed - self.held)

    @property
    def in_force(self) -> float:
        return max(self.share, self.told)


class Account:
    """The bucket of a limit, and who holds what of it. `claim` is the first one heard."""

    __slots__ = ("_bucket", "_holders", "_key", "_owed")

    def __init__(self, claim: Claim, *, now: float) -> None:
        self._key = claim.key
        self._bucket = Bucket(claim.capacity, claim.per_s, level=claim.view, now=now)
        self._holders: dict[str, Holder] = {}
        self._owed = 0  # by gateways, for what they spent without a ledger

    def __repr__(self) -> str:
        held = {name: holder.held for name, holder in self._holders.items()}
        return f"<Account {'/'.join(self._key)} {self._bucket!r}, held {held}>"

    def hear(self, gateway: str, claim: Claim, *, is_new: bool, now: float) -> None:
        """Take what a gateway says. To a new ledger, the lowest level that anybody saw is the
        true one."""
        if (claim.capacity, claim.per_s) != (self._bucket.capacity, self._bucket.per_s):
            self._bucket.resize(claim.capacity, claim.per_s, now)
        holder = self._holders.get(gateway)
        if holder is None or holder.generation != claim.generation:
            self._drop(holder, now)
            holder = self._holders[gateway] = self._adopted(claim, now)
            if is_new and claim.per_s:
                self._lower_to(claim.view, now)
        returned = claim.returned - holder.returned
        holder.spent, holder.returned = claim.spent, claim.returned
        holder.recent, holder.usual = claim.recent, claim.usual
        holder.needed, holder.unit = claim.needed, claim.unit
        holder.share = holder.told = claim.share
        self._settle(holder, now)
        self._bucket.give(returned, now)

    def answer(self, gateway: str, *, gateways: int, quiet: AbstractSet[str], now: float) -> Grant:
        """Grant what is right; other gateways that are `quiet` may be using their share. Who
        needs more than there is gets nothing, and is nobody's rival."""
        mine = self._holders[gateway]
        free = self._free(gateways, quiet, now)
        rivals = [
            holder
            for name, holder in self._holders.items()
            if name not in quiet and holder.unit <= holder.held + free
        ]
        missing = sum(holder.missing for holder in rivals)
        is_scarce = missing > free
        if mine.unit > mine.held + free:
            keep, amount = 0, 0
        elif is_scarce:
            keep, amount = _ration(mine, free, rivals)
        else:
            room = (free - missing) // (AHEAD * gateways)
            # Less than a usual request would be there for nobody.
            ahead = max(mine.usual, min(mine.recent, room)) if mine.usual <= room else 0
            keep = mine.needed + ahead
            amount = max(0, keep - mine.held)
        self._bucket.take(amount, now)
        mine.granted += amount
        self._settle(mine, now)
        mine.told = self._share(mine, gateways)
        level = self._bucket.level(now)
        return Grant(mine.granted, keep, level, mine.told, is_scarce)

    def forget(self, gateway: str, *, now: float) -> None:
        """The gateway is gone. What it held counts as spent, as it may have been; requests that
        it ran run no more."""
        self._drop(self._holders.pop(gateway, None), now)

    def is_idle(self, now: float) -> bool:
        """Whether it is as good as new."""
        return self._bucket.level(now) >= self._bucket.capacity

    def check_invariants(self, now: float) -> None:
        self._bucket.check_invariants(now)
        assert self._bucket.held == sum(holder.held for holder in self._holders.values())
        assert all(holder.held >= 0 for holder in self._holders.values())

    def _adopted(self, claim: Claim, now: float) -> Holder:
        """Its books from before this account; slots that it fills are no longer free."""
        if not claim.per_s:
            self._bucket.take(claim.granted - claim.returned, now)
        return Holder(claim.generation, claim.granted, claim.spent, claim.returned)

    def _drop(self, holder: Holder | None, now: float) -> None:
        if holder is None:
            return
        self._bucket.held -= holder.held
        if not self._bucket.per_s:
            self._bucket.give(holder.granted - holder.returned, now)

    def _lower_to(self, view: float, now: float) -> None:
        self._bucket.take(max(0.0, self._bucket.level(now) - (view - self._owed)), now)

    def _settle(self, holder: Holder, now: float) -> None:
        """Pay what the holder spent beyond what it was granted, and count what all hold."""
        debt = max(0, -holder.held)
        self._bucket.take(debt, now)
        holder.granted += debt
        self._owed += debt
        self._bucket.held = sum(other.held for other in self._holders.values())

    def _free(self, gateways: int, quiet: AbstractSet[str], now: float) -> int:
        """Whole tokens that may be granted; the share of who may hear nothing is put aside."""
        level = self._bucket.level(now)
        if quiet:
            even = EVEN / gateways
            known = self._holders
            level *= 1 - sum(known[g].in_force if g in known else even for g in quiet)
        return max(0, int(level))

    def _share(self, mine: Holder, gateways: int) -> float:
        """Even in part, by demand for the rest; what others may still have in force is not
        there to give, so that all shares together are never more than 1."""
        holders = self._holders.values()
        demand = sum(holder.recent + holder.usual for holder in holders)
        part = (mine.recent + mine.usual) / demand if demand else 1 / len(holders)
        others = sum(holder.in_force for holder in holders if holder is not mine)
        others += (gateways - len(holders)) * EVEN / gateways
        return max(0.0, min(EVEN / gateways + (1 - EVEN) * part, 1 - others))


def _ration(mine: Holder, free: int, rivals: Sequence[Holder]) -> tuple[int, int]:
    """What to keep and what to add where there is too little for all."""
    pot = free + sum(holder.held for holder in rivals)
    part = pot * mine.recent // max(1, sum(holder.recent for holder in rivals))
    amount = max(0, mine.unit - mine.held, min(free, part - mine.held))
    return max(mine.recent, mine.needed), amount
