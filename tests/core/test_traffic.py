"""Every request that waits ends up running, evicted or withdrawn, and no replica is overfilled:
two gateways, the same replicas, and everything that can happen in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serve_app.core.dispatch import Dispatcher, Step
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.core.tenant import ANONYMOUS, Priority
from serve_app.errors import QueueFull

WEIGHTS = {ANONYMOUS: 1.0, "a": 1.0, "b": 2.0, "c": 4.0}
SLOTS, KV_TOKENS = 50, 1000
OPEN = {"waiting", "running"}


class Gateway:
    """A dispatcher, and what its requests have come to."""

    def __init__(self) -> None:
        rules = Rules(Bounds(12, 4000, 0.5), shares={Priority.NORMAL: 0.1, Priority.LOW: 0.02})
        routing = Routing(kv_headroom=0.05)
        self.it = Dispatcher(WaitingQueue(rules), routing, ttft_target_s=2.0)
        self.requests: dict[str, Request] = {}
        self.state: dict[str, str] = {}

    def submit(self, request: Request, *, now: float) -> None:
        self.requests[request.id] = request
        try:
            place = self.it.submit(request, now=now)
        except QueueFull:
            self.state[request.id] = "rejected"
        else:
            assert 0 <= place.position < len(self.it.queue)
            self.state[request.id] = "waiting"

    def act(self, *, now: float) -> None:
        before = {replica.id: replica for replica in self.it.replicas}
        step = self.it.assign(now=now)
        for evicted in step.evictions:
            assert evicted.deadline_at <= now
            self.move(evicted.id, "waiting", "evicted")
        for assignment in step.assignments:
            self.move(assignment.request.id, "waiting", "running")
        nobody_is_overfilled(before, step)

    def move(self, request_id: str, old: str, new: str) -> None:
        assert self.state[request_id] == old
        self.state[request_id] = new

    def are(self, *states: str) -> list[str]:
        return [request_id for request_id, state in self.state.items() if state in states]


def nobody_is_overfilled(before: dict[str, Replica], step: Step) -> None:
    """As this gateway sees it. A request larger than a replica may have an idle one."""
    for replica in before.values():
        sequences, tokens = replica.running, replica.reserved_tokens
        for request in (a.request for a in step.assignments if a.replica_id == replica.id):
            was_idle = not sequences
            sequences, tokens = sequences + request.sequences, tokens + request.tokens
            assert was_idle or sequences <= replica.slots
            assert was_idle or tokens <= KV_TOKENS


class Traffic(RuleBasedStateMachine):
    """Arrivals, answers, losses, reports and time."""

    def __init__(self) -> None:
        super().__init__()
        self.gateways = [Gateway(), Gateway()]
        self.now, self.count = 0.0, 0

    @rule(
        data=st.data(),
        tenant=st.sampled_from(list(WEIGHTS)),
        priority=st.sampled_from(Priority),
        wait_s=st.floats(0.5, 60),
        streams=st.booleans(),
    )
    def arrive(
        self, data: st.DataObject, tenant: str, priority: Priority, wait_s: float, streams: bool
    ) -> None:
        self.count += 1
        gateway = self.gateways[self.count % 2]
        one = Request(
            f"{tenant}{self.count}",
            self.now,
            self.now + wait_s,
            sequences=data.draw(st.sampled_from([1, 1, 1, 2, 60])),
            prompt_tokens=data.draw(st.sampled_from([0, 10, 100, 300, 900, 1500])),
            output_tokens=data.draw(st.integers(0, 100)),
            tenant=tenant,
            weight=WEIGHTS[tenant],
            priority=priority,
            streams=streams,
        )
        gateway.submit(one, now=self.now)
        gateway.act(now=self.now)

    @rule(name=st.sampled_from("xyz"), slots=st.integers(1, SLOTS), healthy=st.booleans())
    def report(self, name: str, slots: int, healthy: bool) -> None:
        """A replica tells each gateway what the other one runs there."""
        loads = [gateway.it._fleet.loads.get(name) for gateway in self.gateways]
        for gateway, load in zip(self.gateways, loads[::-1], strict=True):
            seen = Replica(
                name,
                slots,
                load.sequences if load else 0,
                self.now,
                kv_tokens=KV_TOKENS,
                reserved_tokens=load.reserved_tokens if load else 0,
                prefill_most=500,
                is_healthy=healthy or slots > SLOTS // 4,
            )
            gateway.it.observe([seen])
            gateway.act(now=self.now)

    @rule(name=st.sampled_from("xyz"), which=st.integers(0, 1))
    def lose(self, name: str, which: int) -> None:
        """Once the last that speaks is lost, the silent ones are usable again."""
        self.gateways[which].it.lose(name)
        self.gateways[which].act(now=self.now)

    @rule(names=st.sets(st.sampled_from("xyz"), min_size=1))
    def retain(self, names: set[str]) -> None:
        for gateway in self.gateways:
            gateway.it.retain(names)
            gateway.act(now=self.now)

    @rule(seconds=st.floats(0.1, 5))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for gateway in self.gateways:
            gateway.act(now=self.now)

    @precondition(lambda self: any(gateway.are(*OPEN) for gateway in self.gateways))
    @rule(data=st.data(), cost=st.one_of(st.none(), st.floats(0, 5000)))
    def end_one(self, data: st.DataObject, cost: float | None) -> None:
        """It finishes, or its client leaves: the serving layer says both, whatever it did."""
        gateway, one = self.draw(data, "waiting", "running")
        gateway.it.withdraw(one)
        gateway.it.release(one, cost=cost)
        gateway.state[one] = "ended"
        gateway.act(now=self.now)

    @precondition(lambda self: any(gateway.are("running") for gateway in self.gateways))
    @rule(data=st.data(), tokens=st.integers(1, 2000))
    def answer(self, data: st.DataObject, tokens: int) -> None:
        gateway, one = self.draw(data, "running")
        gateway.it.heard_first_token(one, now=self.now)
        gateway.it.grown(one, gateway.requests[one].prompt_tokens + tokens)
        gateway.act(now=self.now)

    @precondition(lambda self: any(gateway.are("running") for gateway in self.gateways))
    @rule(data=st.data())
    def fail_over(self, data: st.DataObject) -> None:
        """Its replica is lost before the first byte, and it waits again under its name."""
        gateway, one = self.draw(data, "running")
        gateway.it.lose(gateway.it._running[one].assignment.replica_id)
        gateway.it.release(one, cost=0.0)
        gateway.submit(gateway.requests[one], now=self.now)
        gateway.act(now=self.now)

    def draw(self, data: st.DataObject, *states: str) -> tuple[Gateway, str]:
        candidates = [(g, one) for g in self.gateways for one in g.are(*states)]
        return candidates[data.draw(st.integers(0, len(candidates) - 1))]

    @invariant()
    def each_request_is_in_one_place(self) -> None:
        for gateway in self.gateways:
            gateway.it.check_invariants()
            assert len(gateway.are("waiting")) == len(gateway.it.queue)
            assert len(gateway.are("running")) == gateway.it.running
            assert set(gateway.it.queue._charged) == set(gateway.are("running"))

    @invariant()
    def a_refusal_says_when_to_come_back(self) -> None:
        for gateway in self.gateways:
            assert 1.0 <= gateway.it.retry_after_s(now=self.now) <= 60.0

    @invariant()
    def whoever_is_next_has_no_room_anywhere(self) -> None:
        for gateway in self.gateways:
            it, routing = gateway.it, gateway.it.routing
            request = it.queue.first()
            if request is None or request.deadline_at <= self.now:
                continue
            may_fill = it.queue.may_use_headroom(request)
            usable = [r for r in routing.usable(it.replicas, now=self.now) if routing.is_open(r)]
            assert routing.pick(request, usable, may_fill=may_fill) is None


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
