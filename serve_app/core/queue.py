"""Who waits: a queue bounded in requests and in tokens, first come, first served.

The queue never drops a request on its own. `evict` hands back those whose deadline has
passed, so that every request ends in an outcome that somebody names.
"""

import heapq

from serve_app.core.request import Request
from serve_app.errors import QueueFull


class WaitingQueue:
    """Requests in order of arrival; O(1) push, pop and discard."""

    def __init__(self, *, max_requests: int, max_tokens: int) -> None:
        self.max_requests = max_requests
        self.max_tokens = max_tokens
        self.tokens = 0
        self._waiting: dict[str, Request] = {}  # insertion order is arrival order
        self._deadlines: list[tuple[float, str]] = []  # a heap; left ones are skipped lazily

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def __repr__(self) -> str:
        return f"<WaitingQueue {len(self)} waiting, {self.tokens} tokens>"

    def push(self, request: Request, *, retry_after_s: float) -> None:
        """Append `request`; raises `QueueFull` carrying `retry_after_s` when there is no room."""
        if len(self) >= self.max_requests:
            raise QueueFull(
                f"{len(self)} requests are waiting and {self.max_requests} may; "
                f"try again in {retry_after_s:.0f} s",
                retry_after_s=retry_after_s,
            )
        if self.tokens + request.tokens > self.max_tokens:
            raise QueueFull(
                f"{self.tokens} tokens are waiting, this request has {request.tokens} and "
                f"{self.max_tokens} may wait; try again in {retry_after_s:.0f} s",
                retry_after_s=retry_after_s,
            )
        self._waiting[request.id] = request
        self.tokens += request.tokens
        heapq.heappush(self._deadlines, (request.deadline_at, request.id))

    def first(self) -> Request | None:
        """The request that is next, left in place."""
        return next(iter(self._waiting.values()), None)

    def discard(self, request_id: str) -> Request | None:
        """Take a request out, wherever it stands; None when it is not waiting."""
        request = self._waiting.pop(request_id, None)
        if request is not None:
            self.tokens -= request.tokens
        return request

    def evict(self, *, now: float) -> list[Request]:
        """Take out every request whose deadline has passed."""
        evicted = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline_at, request_id = heapq.heappop(self._deadlines)
            request = self._waiting.get(request_id)
            if request is not None and request.deadline_at == deadline_at:
                self.discard(request_id)
                evicted.append(request)
        self._forget_left_deadlines()
        return evicted

    def _forget_left_deadlines(self) -> None:
        """Requests that left early keep their heap entry; rebuild when most are such."""
        if len(self._deadlines) > 2 * len(self) + 64:
            self._deadlines = [(r.deadline_at, r.id) for r in self._waiting.values()]
            heapq.heapify(self._deadlines)

    def check_invariants(self) -> None:
        assert self.tokens == sum(r.tokens for r in self._waiting.values())
        assert len(self) <= self.max_requests or self.max_requests == 0
        assert {i for _, i in self._deadlines} >= set(self._waiting)
