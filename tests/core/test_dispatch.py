"""Who starts where and when, one situation each. `test_traffic` plays them in any order."""

import pytest

from serve_app.core.dispatch import Dispatcher
from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.core.routing import Replica, Routing
from serve_app.errors import QueueFull


def dispatcher(*, max_requests: int = 10, max_tokens: int = 10_000) -> Dispatcher:
    queue = WaitingQueue(Rules(Bounds(max_requests, max_tokens)))
    return Dispatcher(queue, Routing(), ttft_target_s=2.0)


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


def test_once_the_last_that_speaks_is_lost_whoever_waits_goes_to_a_silent_one() -> None:
    it = dispatcher()
    full = replica("speaks", running=2, seen_at=9.0)
    it.observe([replica("silent", seen_at=0.0), full])
    it.submit(request("a", at=9.0), now=9.0)
    assert it.assign(now=9.0).assignments == ()

    it.lose("speaks")
    assert [a.replica_id for a in it.assign(now=9.0).assignments] == ["silent"]


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


def test_where_a_request_stands_and_for_how_long_is_a_guess_from_what_drained() -> None:
    it = dispatcher(max_requests=100)
    assert it.submit(request("a"), now=0.0).wait_s is None, "nothing has drained yet"
    for i in range(20):
        it.submit(request(f"b{i}"), now=0.0)
    it.observe([replica("r", slots=11)])
    it.assign(now=0.0)

    place = it.submit(request("c"), now=2.0)
    assert (place.position, place.wait_s) == (10, 2.0), "eleven in two seconds"
    assert it.retry_after_s(now=2.0) == 2.0
    assert it.drained_per_s(now=40.0) == 0.0, "what was long ago says nothing"


def test_a_request_that_left_while_it_waited_is_gone() -> None:
    it = dispatcher()
    it.submit(request("a"), now=0.0)
    it.withdraw("a")
    it.withdraw("a")

    assert len(it.queue) == 0


def test_what_was_released_can_be_released_again_and_heard_of_late() -> None:
    it = dispatcher()
    it.observe([replica("r", slots=1)])
    it.submit(request("a"), now=0.0)
    it.assign(now=0.0)
    for _ in range(2):
        it.release("a", cost=1.0)
    it.heard_first_token("a", now=1.0)
    it.grown("a", 500)

    it.check_invariants()
    assert [r.running for r in it.replicas] == [0]


def test_a_request_whose_replica_was_lost_can_wait_again_under_its_name() -> None:
    it = dispatcher()
    it.observe([replica("dies"), replica("alive", running=1)])
    one = request("a")
    it.submit(one, now=0.0)
    assert [a.replica_id for a in it.assign(now=0.0).assignments] == ["dies"]

    it.lose("dies")
    it.release("a", cost=0.0)
    it.submit(one, now=1.0)
    assert [a.replica_id for a in it.assign(now=1.0).assignments] == ["alive"]
    it.check_invariants()


def test_what_runs_on_a_replica_out_of_service_may_still_finish() -> None:
    it = dispatcher()
    it.observe([replica("old")])
    it.submit(request("a"), now=0.0)
    it.assign(now=0.0)
    it.retain(set())

    assert (it.replicas, it.running) == ([], 1)
    it.release("a")
    it.check_invariants()


def test_what_arrives_counts_once_whether_it_is_let_in_or_not() -> None:
    it = dispatcher(max_requests=1)
    it.submit(request("a"), now=0.0)
    with pytest.raises(QueueFull):
        it.submit(request("refused"), now=0.0)
    it.submit(request("lost its replica"), now=0.0, again=True)

    assert it.arrivals.per_s(now=1.0) == 40  # two requests of 20 tokens
