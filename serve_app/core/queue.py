"""Who waits, and who is next: bounded, by priority class, fair between tenants.

A higher class goes first. What it takes, it owes to the lower ones that wait, in their
shares, and when a class is owed as much as its next request costs, that one goes first: so
the lowest class is slow, and not starved. Within a class, `fairness` decides.

The queue never drops a request on its own. `evict` hands back those whose deadline has
passed, so that every request ends in an outcome that somebody names.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from serve_app.core.fairness import FairClass, Flow
from serve_app.core.lazy_heap import LazyHeap
from serve_app.core.request import Costs, Request
from serve_app.core.tenant import ANONYMOUS, Priority
from serve_app.errors import QueueFull

Held = AbstractSet[tuple[Priority, str]]
NOBODY: Held = frozenset()
LOWEST_FIRST = tuple(reversed(Priority))
LOWER = {priority: tuple(p for p in Priority if p > priority) for priority in Priority}
HIGHER = {priority: tuple(p for p in Priority if p < priority) for priority in Priority}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait of a class and those above it; `tenant_share` is the part of both that
    one tenant fills when it is the only one to wait.

    Where requests have no keys they are all of one tenant, which may fill everything.
    """

    requests: int
    tokens: int
    tenant_share: float = 1.0
    of: str = ""

    def of_one_tenant(self, requests: int, tokens: int) -> "Bounds":
        """While so much waits, of all tenants, one that would wait too included.

        A tenant may have so many times what is free (Choudhury and Hahne, 1998): two that
        flood the queue fill less than both of their shares, and there is room for a third.
        """
        times = self.tenant_share / (1.0 - self.tenant_share)
        free_requests, free_tokens = self.requests - requests, self.tokens - tokens
        may = max(1, int(times * free_requests)), max(0, int(times * free_tokens))
        return Bounds(*may, of=" for your organisation")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the order depends on. `shares` are fractions of the cost that is served."""

    bounds: Bounds
    costs: Costs = field(default_factory=Costs)
    shares: Mapping[Priority, float] = field(default_factory=dict)


class WaitingQueue:
    """Requests of one model; push, take and discard in O(log n)."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tokens = 0
        self._waiting: dict[str, Request] = {}
        self._charged: dict[str, float] = {}  # cost of what was taken and has not ended
        self._classes = {priority: FairClass() for priority in Priority}
        self._deadlines: LazyHeap[Request] = LazyHeap()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._waiting

    def __repr__(self) -> str:
        return f"<WaitingQueue {len(self)} waiting, {self.tokens} tokens>"

    def depth(self, priority: Priority) -> int:
        """How many wait in one class."""
        return self._classes[priority].requests

    def push(self, request: Request, *, retry_after_s: float | None) -> None:
        """Add `request`; raises `QueueFull` carrying `retry_after_s` when there is no room. With
        None there always is: the request has been in before."""
        assert request.id not in self._waiting, f"{request.id} waits already"
        if retry_after_s is not None and self._waiting:  # an empty queue has room for anything
            self._require_room(request, retry_after_s)
        self._waiting[request.id] = request
        self.tokens += request.tokens
        self._classes[request.priority].push(request)
        self._deadlines.push(request.deadline_at, request.id, request)

    def first(self, held: Held = NOBODY) -> Request | None:
        """The request that is next, left in place; tenants in `held`, who were first before, are
        passed over. What a class is owed is for its first: it waits until that one can start."""
        found = None
        for priority in LOWEST_FIRST:
            of_class = self._classes[priority]
            if not of_class.requests:
                continue
            passed_over = {tenant for p, tenant in held if p is priority}
            request = of_class.first(passed_over)
            if request is None:
                continue
            if not passed_over and of_class.owed >= self.rules.costs.expected(request):
                return request
            found = request
        return found

    def may_use_headroom(self, request: Request) -> bool:
        """Whether a waiting request may use what replicas keep free: its tenant has had less than
        its share lately, or others of a lower class wait, who would fill all there is."""
        if any(self._classes[priority].requests for priority in LOWER[request.priority]):
            return True
        of_class = self._classes[request.priority]
        return of_class.is_behind(request, self.rules.costs.expected(request))

    def take(self, request_id: str) -> Request:
        """Take out a request that starts now: its tenant pays, lower classes are owed. `settle`
        follows when it has ended."""
        request = self._waiting[request_id]
        cost = self._charged[request_id] = self.rules.costs.expected(request)
        of_class = self._classes[request.priority]
        if of_class.first() is request:  # and has not overtaken one that is held
            of_class.owed = max(0.0, of_class.owed - cost)
        self._remove(request_id)
        of_class.serve(request, cost)
        for priority, share in self.rules.shares.items():
            other = self._classes[priority]
            if other.requests and priority is not request.priority:
                other.owed += share * cost
        return request

    def outgrown(self, request: Request, output_tokens: int) -> None:
        """A request that was taken has written more than was expected of it. Once its tenant has
        not paid for that, it pays as if as much again would follow: to wait for the end would
        let those with the longest answers have too much, and then, for as long, nothing."""
        so_far = self.rules.costs.of_request(request, output_tokens)
        if so_far > self._charged[request.id]:
            cost = self.rules.costs.of_request(request, 2 * output_tokens)
            self._classes[request.priority].charge(request, cost - self._charged[request.id])
            self._charged[request.id] = cost

    def settle(self, request: Request, cost: float | None) -> None:
        """A request that was taken has ended and did cost that much; None is what was paid."""
        charged = self._charged.pop(request.id)
        if cost is not None:
            self._classes[request.priority].charge(request, cost - charged)

    def discard(self, request_id: str) -> Request | None:
        """Take a request out, wherever it stands; None when it is not waiting."""
        return self._remove(request_id)

    def evict(self, *, now: float) -> list[Request]:
        """Take out every request whose deadline has passed."""
        evicted = []
        while (request := self._deadlines.first()) is not None and request.deadline_at <= now:
            self._remove(request.id)
            evicted.append(request)
        return evicted

    def ahead_of(self, request: Request) -> int:
        """About how many of those that wait now start before `request`, a waiting one: all of
        the higher classes, and some of its own."""
        higher = sum(self._classes[p].requests for p in HIGHER[request.priority])
        return higher + self._classes[request.priority].ahead_of(request)

    def _remove(self, request_id: str) -> Request | None:
        request = self._waiting.pop(request_id, None)
        if request is not None:
            self.tokens -= request.tokens
            self._classes[request.priority].remove(request)
            self._deadlines.discard(request_id)
        return request

    def _require_room(self, request: Request, retry_after_s: float) -> None:
        bounds = self.rules.bounds
        # Nobody is refused because of those who have to wait for him.
        before = [self._classes[p] for p in (*HIGHER[request.priority], request.priority)]
        requests, tokens = _waiting(before)
        _require(requests, tokens, request, bounds, retry_after_s)
        if request.tenant != ANONYMOUS and bounds.tenant_share < 1.0:
            mine = _waiting(of_class.flow(request.tenant) for of_class in before)
            of_one = bounds.of_one_tenant(requests + 1, tokens + request.tokens)
            _require(*mine, request, of_one, retry_after_s)

    def check_invariants(self) -> None:
        flows: list[tuple[Priority, Flow]] = [
            (priority, flow) for priority in Priority for flow in self._classes[priority].flows
        ]
        assert self.tokens == sum(r.tokens for r in self._waiting.values())
        assert self.tokens == sum(flow.tokens for _, flow in flows)
        for priority, flow in flows:
            mine = [
                r
                for r in self._waiting.values()
                if (r.priority, r.tenant) == (priority, flow.tenant)
            ]
            assert flow.requests == len(mine)
        assert sum(c.requests for c in self._classes.values()) == len(self)
        assert all(c.owed >= 0 for c in self._classes.values())
        # Work-conserving: somebody is next exactly when somebody waits.
        assert (self.first() is None) == (len(self) == 0)


def _waiting(parts: Iterable[FairClass | Flow | None]) -> tuple[int, int]:
    """Requests and tokens, together."""
    requests = tokens = 0
    for part in parts:
        if part is not None:
            requests += part.requests
            tokens += part.tokens
    return requests, tokens


def _require(
    waiting: int, tokens: int, request: Request, bounds: Bounds, retry_after_s: float
) -> None:
    if waiting >= bounds.requests:
        measured = f"{waiting} requests are waiting{bounds.of} and {bounds.requests} may"
    elif waiting and tokens + request.tokens > bounds.tokens:
        measured = (
            f"{tokens} tokens are waiting{bounds.of}, this request has {request.tokens} and "
            f"{bounds.tokens} may wait"
        )
    else:
        return
    again = f"try again in {retry_after_s:.0f} s"
    raise QueueFull(f"{measured}; {again}", retry_after_s=retry_after_s)
