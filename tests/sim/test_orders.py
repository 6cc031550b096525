"""What others do, done properly."""

import pytest

from serve_app.core.queue import Bounds, Rules, WaitingQueue
from serve_app.core.request import Request
from serve_app.sim.orders import FirstCome, RoundRobin

RULES = Rules(Bounds(100, 100_000))


def filled(queue: WaitingQueue, names: str) -> WaitingQueue:
    """One request for each letter, of the tenant that it names; `a` asks for most."""
    for i, tenant in enumerate(names):
        tokens = 1000 if tenant == "a" else 10
        one = Request(f"{tenant}{i}", 0.0, 100.0 - i, prompt_tokens=tokens, tenant=tenant)
        queue.push(one, retry_after_s=1.0)
    return queue


def drained(queue: WaitingQueue) -> str:
    order = ""
    while (request := queue.first()) is not None:
        order += queue.take(request.id).tenant
        queue.check_invariants()
    return order


def test_first_come_first_served_is_just_that() -> None:
    assert drained(filled(FirstCome(RULES), "aaabca")) == "aaabca"


def test_tenants_take_turns_however_much_they_ask_for() -> None:
    assert drained(filled(RoundRobin(RULES), "aaaabbc")) == "abcabaa"


@pytest.mark.parametrize("order", [FirstCome, RoundRobin])
def test_they_pass_over_the_held_and_forget_who_left(order: type[WaitingQueue]) -> None:
    queue = filled(order(RULES), "aab")
    first = queue.first()
    assert first is not None
    assert queue.first({(first.priority, "a")}).tenant == "b"  # type: ignore[union-attr]
    assert queue.first({(first.priority, "a"), (first.priority, "b")}) is None
    assert not queue.may_use_headroom(first)

    queue.discard("b2")
    assert [request.id for request in queue.evict(now=99.0)] == ["a1"]
    assert drained(queue) == "a"
