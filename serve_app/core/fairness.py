"""Which tenant is next: a virtual token counter for each (Sheng et al., OSDI 2024).

    counter += cost / weight        of every request that leaves the queue
    next     = the tenant that waits and has the smallest counter

Cost is in weighted tokens, expected when the request starts and corrected while it runs and
when it ends, so tenants get tokens in proportion to their weights, whatever the size of their
requests. Within a tenant the earliest deadline goes first, then the first to come.

The level is where the line has got to: the largest counter that was served. Time away earns
little: a tenant that comes back is lifted to where the level was `CREDIT` typical requests
ago. With no credit at all, one that asks for less than its share would wait as if it asked
for more, whenever a few of its requests come together. Whoever is below the level even after
it has paid for its next request is behind: it has had less than the others lately.

Not deficit round robin: its turns are as long as the largest request, and a light tenant
waits for a turn of every other one.
"""

from collections.abc import Collection
from collections.abc import Set as AbstractSet

from serve_app.core.lazy_heap import LazyHeap
from serve_app.core.request import Request

CREDIT = 16.0
REMEMBERED = 100  # requests that say what is typical
MOST_IDLE = 256


class Flow:
    """What one tenant has waiting in one priority class."""

    __slots__ = ("_requests", "counter", "requests", "tenant", "tokens", "weight")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.weight = 1.0
        self.counter = 0.0
        self.requests = 0
        self.tokens = 0
        self._requests: LazyHeap[Request] = LazyHeap()

    def __repr__(self) -> str:
        return f"<Flow {self.tenant} {self.requests} waiting, at {self.counter:.0f}>"

    def push(self, request: Request) -> None:
        self.requests += 1
        self.tokens += request.tokens
        self._requests.push(request.deadline_at, request.id, request)

    def remove(self, request: Request) -> None:
        self.requests -= 1
        self.tokens -= request.tokens
        self._requests.discard(request.id)

    def first(self) -> Request:
        first = self._requests.first()
        assert first is not None, "an empty flow was asked for its first request"
        return first


class FairClass:
    """The tenants of one priority class."""

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.owed = 0.0  # cost that higher classes have to leave to this one
        self._flows: dict[str, Flow] = {}
        self._line: LazyHeap[Flow] = LazyHeap()  # those with something waiting, by counter
        self._weight = 0.0  # of those in line
        self._level = 0.0
        self._served = 0  # requests, up to REMEMBERED
        self._typical = 0.0  # cost of a request
        self._forget_at = MOST_IDLE

    @property
    def flows(self) -> Collection[Flow]:
        return self._flows.values()

    def ahead_of(self, request: Request) -> int:
        """About how many of those that wait start before `request`, which waits too: of each
        tenant as many as its weight allows by then."""
        own = self._flows[request.tenant]
        turns = own.requests
        others = turns * (self._weight - own.weight) / own.weight
        return min(self.requests, turns + int(others)) - 1

    def flow(self, tenant: str) -> Flow | None:
        return self._flows.get(tenant)

    def first(self, held: AbstractSet[str] = frozenset()) -> Request | None:
        """Who is next, of the tenants that are not held back."""
        if held:
            flow = self._line.first_except(lambda flow: flow.tenant in held)
        else:
            flow = self._line.first()
        return flow.first() if flow is not None else None

    def push(self, request: Request) -> None:
        flow = self._flow(request)
        if not flow.requests:
            flow.counter = max(flow.counter, self._lifted(request.weight, self._weight))
        self._weight += request.weight - (flow.weight if flow.requests else 0.0)
        flow.weight = request.weight
        flow.push(request)
        self.requests += 1
        self.tokens += request.tokens
        if flow.requests == 1:
            self._line.push(flow.counter, flow.tenant, flow)

    def remove(self, request: Request) -> None:
        """`request`, which waits, does so no more."""
        flow = self._flows[request.tenant]
        flow.remove(request)
        if not flow.requests:
            self._line.discard(flow.tenant)
            self._weight -= flow.weight
        self.requests -= 1
        self.tokens -= request.tokens
        if not self.requests:
            self.owed = self._weight = 0.0
        self._forget()

    def serve(self, request: Request, cost: float) -> None:
        """`request`, which was removed, starts, and its tenant pays for it."""
        flow = self._flow(request)
        self._level = max(self._level, flow.counter)
        self._served = min(REMEMBERED, self._served + 1)
        self._typical += (cost - self._typical) / self._served
        self._advance(flow, cost)

    def charge(self, request: Request, more: float) -> None:
        """A request that was served costs `more`; less, if negative."""
        self._advance(self._flow(request), more)

    def is_behind(self, request: Request, cost: float) -> bool:
        """Whether its tenant has had less than its share lately, and still has with `request`."""
        flow = self._flow(request)
        return flow.counter + cost / flow.weight <= self._level

    def _lifted(self, weight: float, line_weight: float = 0.0) -> float:
        """Where the level was `CREDIT` typical requests ago, for a tenant of that weight."""
        return self._level - CREDIT * self._typical / max(weight, line_weight)

    def _flow(self, request: Request) -> Flow:
        """The tenant's; one that was forgotten stands where it would come back."""
        flow = self._flows.get(request.tenant)
        if flow is None:
            flow = self._flows[request.tenant] = Flow(request.tenant)
            flow.weight, flow.counter = request.weight, self._lifted(request.weight)
        return flow

    def _advance(self, flow: Flow, cost: float) -> None:
        flow.counter += cost / flow.weight
        if flow.requests:
            self._line.push(flow.counter, flow.tenant, flow)

    def _forget(self) -> None:
        """Idle tenants that would come back where a new one does, when there are many."""
        if len(self._flows) > self._forget_at:
            self._flows = {
                tenant: flow
                for tenant, flow in self._flows.items()
                if flow.requests or flow.counter > self._lifted(flow.weight)
            }
            self._forget_at = 2 * len(self._flows) + MOST_IDLE  # O(1) amortised
