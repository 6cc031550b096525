"""A priority class in which each request has the cost that its test says."""

from collections import defaultdict

from serve_app.core.fairness import FairClass
from serve_app.core.request import Request

WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 4.0}


class Line:
    """A class in which each request has the cost that its test says."""

    def __init__(self) -> None:
        self.it = FairClass()
        self.costs: dict[str, float] = {}
        self.served: defaultdict[str, float] = defaultdict(float)
        self.count = 0

    def push(
        self, tenant: str, cost: float = 10.0, *, weight: float | None = None, by: float = 9.0
    ) -> Request:
        self.count += 1
        one = Request(
            f"{tenant}{self.count}",
            0.0,
            by,
            tenant=tenant,
            weight=WEIGHTS.get(tenant, 1.0) if weight is None else weight,
        )
        self.costs[one.id] = cost
        self.it.push(one)
        return one

    def serve(self) -> Request:
        request = self.it.first()
        assert request is not None
        self.it.remove(request)
        self.it.serve(request, self.costs[request.id])
        self.served[request.tenant] += self.costs[request.id]
        return request

    def tenants(self, count: int) -> str:
        return "".join(self.serve().tenant for _ in range(count))
