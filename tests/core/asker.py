"""Pushes requests into a queue, and takes them."""

from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.core.tenant import Priority

SHARES = {Priority.NORMAL: 0.1, Priority.LOW: 0.02}


def queue(
    *, requests: int = 1000, tokens: int = 1_000_000, tenant_share: float = 1.0, shares: bool = True
) -> WaitingQueue:
    return WaitingQueue(
        Rules(Bounds(requests, tokens, tenant_share), shares=SHARES if shares else {})
    )


class Asker:
    """Pushes requests with names that say whose they are: high1, a2, …"""

    def __init__(self, it: WaitingQueue) -> None:
        self.it = it
        self.count = 0

    def push(
        self,
        priority: Priority,
        tenant: str = "a",
        *,
        tokens: int = 10,
        by: float = 9.0,
        weight: float = 1.0,
    ) -> Request:
        self.count += 1
        name = f"{tenant}{self.count}"
        one = Request(
            name, 0.0, by, prompt_tokens=tokens, tenant=tenant, weight=weight, priority=priority
        )
        self.it.push(one, retry_after_s=7.0)
        return one

    def take(self, held: set[tuple[Priority, str]] | None = None) -> Request:
        request = self.it.first(held or frozenset())
        assert request is not None
        return self.it.take(request.id)
