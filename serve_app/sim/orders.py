"""Orders to compare with: what gateways do that know nothing of tokens.

Both keep the bounds, the deadlines and the books of the real queue, and only say who is next.
"""

from collections import OrderedDict

from serve_app.core.queue import NOBODY, Held, Rules, WaitingQueue
from serve_app.core.request import Request


class FirstCome(WaitingQueue):
    """First come, first served, whoever asks."""

    def first(self, held: Held = NOBODY) -> Request | None:
        waiting = self._waiting.values()
        return next((r for r in waiting if (r.priority, r.tenant) not in held), None)

    def may_use_headroom(self, request: Request) -> bool:  # noqa: ARG002 - nobody's may
        return False


class RoundRobin(WaitingQueue):
    """One request of each tenant in turn, however large."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._turns: OrderedDict[str, OrderedDict[str, Request]] = OrderedDict()

    def push(self, request: Request, *, retry_after_s: float | None) -> None:
        super().push(request, retry_after_s=retry_after_s)
        self._turns.setdefault(request.tenant, OrderedDict())[request.id] = request

    def first(self, held: Held = NOBODY) -> Request | None:
        for waiting in self._turns.values():
            request = next(iter(waiting.values()))
            if (request.priority, request.tenant) not in held:
                return request
        return None

    def may_use_headroom(self, request: Request) -> bool:  # noqa: ARG002 - nobody's may
        return False

    def take(self, request_id: str) -> Request:
        request = super().take(request_id)
        if request.tenant in self._turns:
            self._turns.move_to_end(request.tenant)
        return request

    def _remove(self, request_id: str) -> Request | None:
        request = super()._remove(request_id)
        if request is not None:
            del self._turns[request.tenant][request_id]
            if not self._turns[request.tenant]:
                del self._turns[request.tenant]
        return request
