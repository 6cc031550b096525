"""What is left of every limit, over all gateways: the one place that knows.

Gateways tell it what they spent and need; it answers with what they may spend. Nothing here
is written to a disk: a ledger that starts anew listens for `WARM_UP_S` to what gateways
know, while they go by their shares. See `account` for who gets what.
"""

from dataclasses import dataclass

from serve_app.core.account import Account
from serve_app.core.exchange import GONE_S, QUIET_S, WARM_UP_S, Answer, Grant, Key, Message

SMALLEST_SWEEP = 256


@dataclass(slots=True)
class Gateway:
    """When it was heard, and when the last answer was sent that it has heard."""

    number: int
    heard_at: float
    answered_at: float


class Ledger:
    """`name` tells this incarnation from those before it."""

    def __init__(self, name: str, *, now: float) -> None:
        self._name = name
        self._started_at = now
        self._gateways: dict[str, Gateway] = {}
        self._accounts: dict[Key, Account] = {}
        self._sweep_at = SMALLEST_SWEEP

    def __repr__(self) -> str:
        return f"<Ledger {len(self._gateways)} gateways, {len(self._accounts)} accounts>"

    def exchange(self, message: Message, *, now: float) -> Answer:
        """Hear a gateway and answer it."""
        self._forget_gone(now)
        self._forget_idle(now)
        is_late = not self._meet(message, now)
        is_new = now - self._started_at < WARM_UP_S
        if not is_late:
            self._hear(message, is_new=is_new, now=now)
        is_ready = not (is_late or is_new)
        grants = self._grants(message, now) if is_ready else []
        return Answer(self._name, now, len(self._gateways), is_ready, grants)

    def check_invariants(self, *, now: float) -> None:
        for account in self._accounts.values():
            account.check_invariants(now)

    def _meet(self, message: Message, now: float) -> bool:
        """Note that the gateway lives; false for a message that a later one has overtaken."""
        known = self._gateways.get(message.gateway)
        if known is None:
            self._gateways[message.gateway] = Gateway(message.number, now, now)
            return True
        if message.number <= known.number:
            return False
        known.number, known.heard_at = message.number, now
        if message.ledger == self._name:
            known.answered_at = message.heard_at
        return True

    def _hear(self, message: Message, *, is_new: bool, now: float) -> None:
        for claim in message.claims:
            account = self._accounts.get(claim.key)
            if account is None:
                account = self._accounts[claim.key] = Account(claim, now=now)
            account.hear(message.gateway, claim, is_new=is_new, now=now)

    def _grants(self, message: Message, now: float) -> list[Grant]:
        quiet = {
            name
            for name, gateway in self._gateways.items()
            if name != message.gateway and now - gateway.answered_at > QUIET_S
        }
        gateways = len(self._gateways)
        return [
            self._accounts[claim.key].answer(
                message.gateway, gateways=gateways, quiet=quiet, now=now
            )
            for claim in message.claims
        ]

    def _forget_gone(self, now: float) -> None:
        gone = [n for n, g in self._gateways.items() if now - g.heard_at > GONE_S]
        for name in gone:
            del self._gateways[name]
            for account in self._accounts.values():
                account.forget(name, now=now)

    def _forget_idle(self, now: float) -> None:
        """Keep at most twice what is in use."""
        if len(self._accounts) >= self._sweep_at:
            self._accounts = {k: a for k, a in self._accounts.items() if not a.is_idle(now)}
            self._sweep_at = 2 * len(self._accounts) + SMALLEST_SWEEP
