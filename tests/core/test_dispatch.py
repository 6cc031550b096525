"""Every request that waits ends up running, evicted or withdrawn, and no replica is overfilled."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serve_app.core.dispatch import Dispatcher
from serve_app.core.queue import WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.errors import QueueFull


def dispatcher(*, max_requests: int = 10, max_tokens: int = 10_000) -> Dispatcher:
    return Dispatcher(WaitingQueue(max_requests=max_requests, max_tokens=max_tokens), Routing())


def request(name: str, *, at: float = 0.0, wait_s: float = 10.0, sequences: int = 1) -> Request:
    return Request(name, at, at + wait_s, sequences, prompt_tokens=10, output_tokens=10)


def replica(name: str, *, slots: int = 2, running: int = 0, seen_at: float = 0.0) -> Replica:
    return Replica(name, slots, running, seen_at)


def test_a_request_waits_until_a_replica_reports() -> None:
    it = dispatcher()
    it.submit(request("a"), now=0.0)

    assert it.assign(now=0.0).assignments == ()

    it.observe([replica("r")])
    [assignment] = it.assign(now=0.1).assignments
    assert (assignment.request.id, assignment.replica_id) == ("a", "r")


def test_first_come_first_served_into_free_slots_only() -> None:
    it = dispatcher()
    it.observe([replica("r", slots=2)])
    for name in "abc":
        it.submit(request(name), now=0.0)

    assert [a.request.id for a in it.assign(now=0.0).assignments] == ["a", "b"]

    it.release("a")
    assert [a.request.id for a in it.assign(now=0.0).assignments] == ["c"]


def test_slots_that_other_gateways_fill_are_not_free() -> None:
    it = dispatcher()
    it.observe([replica("r", slots=2, running=2)])
    it.submit(request("a"), now=0.0)

    assert it.assign(now=0.0).assignments == ()


def test_requests_spread_over_replicas_by_free_slots() -> None:
    it = dispatcher()
    it.observe([replica("busy", slots=4, running=3), replica("idle", slots=4)])
    for name in "abc":
        it.submit(request(name), now=0.0)

    assert [a.replica_id for a in it.assign(now=0.0).assignments] == ["idle"] * 3


def test_a_request_with_more_sequences_than_slots_gets_an_idle_replica() -> None:
    it = dispatcher()
    it.observe([replica("r", slots=2)])
    it.submit(request("a"), now=0.0)
    it.submit(request("huge", sequences=5), now=0.0)

    assert [a.request.id for a in it.assign(now=0.0).assignments] == ["a"]

    it.release("a")
    assert [a.request.id for a in it.assign(now=0.0).assignments] == ["huge"]


def test_a_silent_replica_gets_nothing_while_another_one_speaks() -> None:
    it = dispatcher()
    it.observe([replica("silent", slots=9, seen_at=0.0), replica("speaks", seen_at=9.0)])
    it.submit(request("a"), now=9.0)

    assert [a.replica_id for a in it.assign(now=9.5).assignments] == ["speaks"]


def test_when_all_are_silent_a_guess_beats_an_outage() -> None:
    it = dispatcher()
    it.observe([replica("silent", seen_at=0.0)])
    it.submit(request("a", at=9.0), now=9.0)

    assert [a.replica_id for a in it.assign(now=9.5).assignments] == ["silent"]


def test_a_lost_replica_gets_nothing_until_it_is_heard_again() -> None:
    it = dispatcher()
    it.observe([replica("r")])
    it.lose("r")
    it.submit(request("a"), now=0.0)
    assert it.assign(now=0.0).assignments == ()

    it.observe([replica("r")])
    assert len(it.assign(now=0.0).assignments) == 1


def test_a_request_that_waits_past_its_deadline_is_evicted() -> None:
    it = dispatcher()
    it.submit(request("a", wait_s=5.0), now=0.0)

    assert it.assign(now=4.9).evictions == ()
    assert [r.id for r in it.assign(now=5.0).evictions] == ["a"]
    assert len(it.queue) == 0


def test_a_full_queue_rejects_with_the_time_to_drain() -> None:
    it = dispatcher(max_requests=1)
    it.submit(request("a"), now=0.0)

    with pytest.raises(QueueFull) as full:
        it.submit(request("b"), now=0.0)

    assert full.value.retry_after_s == 60.0  # nothing has ever drained


def test_a_queue_is_bounded_in_tokens_too() -> None:
    it = dispatcher(max_tokens=30)
    it.submit(request("a"), now=0.0)

    with pytest.raises(QueueFull, match="20 tokens are waiting"):
        it.submit(request("b"), now=0.0)


def test_its_repr_is_a_transcript_line() -> None:
    it = dispatcher()
    it.observe([replica("r", slots=1)])
    it.submit(request("a"), now=0.0)
    it.submit(request("b"), now=0.0)
    it.assign(now=0.0)

    assert repr(it) == "<Dispatcher 1 waiting, 1 running on 1>"
    assert repr(it.queue) == "<WaitingQueue 1 waiting, 20 tokens>"


class Traffic(RuleBasedStateMachine):
    """Arrivals, finishes, losses and time in any order."""

    @initialize()
    def start(self) -> None:
        self.it = dispatcher(max_requests=5, max_tokens=500)
        self.now, self.count = 0.0, 0
        self.state: dict[str, str] = {}

    @rule(sequences=st.integers(1, 4), wait_s=st.floats(0.5, 20))
    def arrive(self, sequences: int, wait_s: float) -> None:
        self.count += 1
        one = request(f"r{self.count}", at=self.now, wait_s=wait_s, sequences=sequences)
        try:
            self.it.submit(one, now=self.now)
        except QueueFull:
            self.state[one.id] = "rejected"
        else:
            self.state[one.id] = "waiting"
        self.act()

    @rule(name=st.sampled_from("xyz"), slots=st.integers(1, 5))
    def report(self, name: str, slots: int) -> None:
        self.it.observe([replica(name, slots=slots, seen_at=self.now)])
        self.act()

    @rule(name=st.sampled_from("xyz"))
    def lose(self, name: str) -> None:
        self.it.lose(name)

    @rule(seconds=st.floats(0.1, 5))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.act()

    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        open_ones = [i for i, s in self.state.items() if s in {"waiting", "running"}]
        if open_ones:
            one = data.draw(st.sampled_from(open_ones))
            self.it.withdraw(one)
            self.it.release(one)
            self.state[one] = "ended"
            self.act()

    def act(self) -> None:
        step = self.it.assign(now=self.now)
        for evicted in step.evictions:
            assert self.state[evicted.id] == "waiting"
            self.state[evicted.id] = "evicted"
        for assignment in step.assignments:
            assert self.state[assignment.request.id] == "waiting"
            self.state[assignment.request.id] = "running"

    @invariant()
    def each_request_is_in_one_place(self) -> None:
        if not hasattr(self, "it"):
            return
        self.it.check_invariants()
        states = list(self.state.values())
        assert states.count("waiting") == len(self.it.queue)
        assert states.count("running") == self.it.running

    @invariant()
    def nobody_waits_beside_an_idle_replica_that_speaks(self) -> None:
        if hasattr(self, "it") and len(self.it.queue):
            fresh = [r for r in self.it.replicas if self.now - r.seen_at <= 3.0]
            assert all(r.running > 0 for r in fresh)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
