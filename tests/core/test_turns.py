"""No tenant starves, whatever the others do."""

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from serve_app.core.fairness import CREDIT
from serve_app.core.request import Request
from tests.core.line import WEIGHTS, Line

LARGEST = 100.0


class Turns(RuleBasedStateMachine):
    """Arrivals, starts, corrections and departures in any order.

    While `f` waits, each other tenant `g` is served until it has passed `f`:

        cost of g  ≤  LARGEST × (w_g / w_f + CREDIT + 1)  +  debts of f × w_g / w_f  +  refunds of g

    `f` stands at most one request and its debts above the level; `g` at least at its credit
    and its refunds below it; and the last request of `g` may be as large as there are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.started: list[Request] = []
        self.waiting: dict[str, Request] = {}
        self.debts: defaultdict[str, float] = defaultdict(float)
        self.refunds: defaultdict[str, float] = defaultdict(float)
        self.others: dict[str, defaultdict[str, float]] = {}  # served while a tenant waits

    @rule(tenant=st.sampled_from("abcd"), cost=st.floats(1, LARGEST), by=st.floats(1, 9))
    def push(self, tenant: str, cost: float, by: float) -> None:
        one = self.line.push(tenant, cost, by=by)
        self.waiting[one.id] = one
        self.others.setdefault(tenant, defaultdict(float))

    @rule(turns=st.integers(1, 8))
    def serve(self, turns: int) -> None:
        for _ in range(min(turns, len(self.waiting))):
            request = self.line.serve()
            del self.waiting[request.id]
            self.started.append(request)
            for served in self.others.values():
                served[request.tenant] += self.line.costs[request.id]
            self.left(request, was_served=True)

    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        if self.waiting:
            request = self.waiting.pop(data.draw(st.sampled_from(sorted(self.waiting))))
            self.line.it.remove(request)
            self.left(request, was_served=False)

    @rule(data=st.data(), more=st.floats(-0.9, 3.0))
    def correct(self, data: st.DataObject, more: float) -> None:
        if self.started:
            request = self.started.pop(data.draw(st.integers(0, len(self.started) - 1)))
            cost = more * self.line.costs[request.id]
            self.line.it.charge(request, cost)
            (self.debts if cost > 0 else self.refunds)[request.tenant] += abs(cost)

    def left(self, request: Request, *, was_served: bool) -> None:
        """Its tenant's wait begins anew, or is over."""
        still = any(other.tenant == request.tenant for other in self.waiting.values())
        if was_served or not still:
            del self.others[request.tenant]
        if was_served and still:
            self.others[request.tenant] = defaultdict(float)

    @invariant()
    def nobody_starves(self) -> None:
        for tenant, served in self.others.items():
            for other, cost in served.items():
                ratio = WEIGHTS[other] / WEIGHTS[tenant]
                most = LARGEST * (ratio + CREDIT + 1)
                most += self.debts[tenant] * ratio + self.refunds[other]
                assert cost <= most + 1e-6

    @invariant()
    def somebody_is_next_exactly_when_somebody_waits(self) -> None:
        first = self.line.it.first()
        assert (first is None) == (not self.waiting)
        assert self.line.it.requests == len(self.waiting)
        if first is not None:
            counters = {f.tenant: f.counter for f in self.line.it.flows if f.requests}
            assert counters[first.tenant] == min(counters.values())


TestTurns = Turns.TestCase
TestTurns.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
