"""Classes and deadlines of the waiting queue, and that no class starves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.core.request import Costs, Request
from serve_app.core.tenant import Priority
from tests.core.asker import SHARES, Asker, queue

HIGH, NORMAL, LOW = Priority


def test_a_higher_class_goes_first_whenever_it_came() -> None:
    ask = Asker(queue(shares=False))
    wanted = [ask.push(LOW), ask.push(NORMAL), ask.push(HIGH)]

    assert [ask.take() for _ in range(3)] == wanted[::-1]
    assert ask.it.first() is None


@pytest.mark.parametrize(
    ("classes", "shares_of_cost"),
    [
        ((HIGH, NORMAL), {NORMAL: 1 / 11}),
        ((HIGH, LOW), {LOW: 0.02 / 1.02}),
        ((NORMAL, LOW), {LOW: 0.02 / 1.02}),
        ((HIGH, NORMAL, LOW), {NORMAL: 0.09, LOW: 0.02}),
    ],
)
def test_lower_classes_get_their_shares(
    classes: tuple[Priority, ...], shares_of_cost: dict[Priority, float]
) -> None:
    ask = Asker(queue(requests=10_000))
    for priority in classes * 2000:
        ask.push(priority)
    served = [ask.take().priority for _ in range(2000)]

    for priority, share in shares_of_cost.items():
        assert served.count(priority) / len(served) == pytest.approx(share, rel=0.05)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Priority), st.integers(1, 100)), max_size=60))
def test_no_class_with_a_share_starves(arrivals: list[tuple[Priority, int]]) -> None:
    """While a class waits, others are served no more than it takes to owe it its largest
    request, and what was under way or owed to the other one as well: largest / share + 3 × it."""
    ask = Asker(queue())
    for priority, tokens in arrivals:
        ask.push(priority, tokens=tokens)
    flood = [ask.push(HIGH, "flood", tokens=100) for _ in range(100)]
    overtook = dict.fromkeys(SHARES, 0.0)
    for _ in flood + arrivals:
        taken = ask.take()
        for priority, share in SHARES.items():
            of_others = overtook[priority] + taken.tokens
            overtook[priority] = 0.0 if taken.priority is priority else of_others
            if ask.it.depth(priority):
                assert overtook[priority] <= 100 / share + 300


def test_what_a_class_is_owed_waits_for_its_first_request_and_is_not_spent_by_others() -> None:
    """A long prompt of `low` that fits nowhere yet is held; others of `low` must not live on
    what has been saved up for it, or it never starts."""
    ask = Asker(queue())
    long = ask.push(LOW, "reader", tokens=1000)
    for _ in range(10):
        ask.push(LOW, "chatter", tokens=10)
    for _ in range(50_000 // 500):
        ask.push(HIGH, "flood", tokens=500)
        assert ask.take().priority is HIGH
    ask.push(HIGH, "flood")
    assert ask.it.first() is long, "by now it is owed"

    held = {(LOW, "reader")}
    assert ask.take(held).priority is HIGH, "the chatter does not go on the reader's account"
    assert ask.take(held).tenant == "chatter", "but when nobody else can run"
    ask.push(HIGH, "flood")
    assert ask.it.first() is long, "and that does not cost the reader its turn"


def test_a_class_with_nothing_waiting_is_owed_nothing() -> None:
    ask = Asker(queue())
    ask.push(LOW, tokens=1)
    ask.push(HIGH, tokens=1000)
    ask.take()
    ask.take()
    ask.push(LOW, tokens=1)
    ask.push(HIGH)

    assert ask.take().priority is HIGH


def test_all_tenants_held_back_leave_nobody() -> None:
    ask = Asker(queue())
    ask.push(HIGH, "a")
    ask.push(LOW, "b")

    assert ask.it.first({(HIGH, "a"), (LOW, "b")}) is None
    assert ask.take({(LOW, "a"), (HIGH, "a")}).tenant == "b", "a tenant is held in one class"


def test_those_past_their_deadline_are_handed_back_the_latest_last() -> None:
    ask = Asker(queue())
    late, stays, latest = (ask.push(NORMAL, by=by) for by in (2.0, 3.0, 1.0))

    assert ask.it.evict(now=2.0) == [latest, late]
    assert ask.it.first() is stays
    assert ask.it.discard(late.id) is None


def test_an_id_that_waits_cannot_wait_twice() -> None:
    ask = Asker(queue())
    one = ask.push(NORMAL)

    with pytest.raises(AssertionError, match="waits already"):
        ask.it.push(one, retry_after_s=1.0)


def test_a_request_that_comes_back_after_a_failed_start_pays_once() -> None:
    ask = Asker(queue(shares=False))
    one = ask.push(NORMAL, "a")
    ask.push(NORMAL, "b")
    ask.take()
    ask.it.settle(one, 0.0)  # its replica was lost before it did anything
    ask.it.push(one, retry_after_s=1.0)
    ask.push(NORMAL, "a")

    assert [ask.take().tenant for _ in range(3)] == ["b", "a", "a"]
    ask.it.settle(one, None)
    ask.it.check_invariants()


def test_who_writes_more_than_expected_pays_at_once_as_if_it_would_go_on() -> None:
    ask = Asker(queue(shares=False))
    one = ask.push(NORMAL, "a", tokens=10)
    for tenant in "ab" * 8:
        ask.push(NORMAL, tenant, tokens=10)
    ask.take()
    ask.it.outgrown(one, 0)  # not more than it has paid for
    assert ask.take().tenant == "b"

    ask.it.outgrown(one, 5)  # 10 + 4 × 5 is more than 10: it pays 10 + 4 × 10
    ask.it.outgrown(one, 6)  # for which it has paid now
    assert [ask.take().tenant for _ in range(5)] == ["b"] * 4 + ["a"]
    ask.it.settle(one, 30.0)  # so much of it was too much
    assert ask.take().tenant == "a"


@pytest.mark.parametrize(
    ("others", "may", "why"),
    [
        ([], False, "a tenant alone has had everything"),
        ([(LOW, "b")], True, "lower ones would fill all there is"),
        ([(HIGH, "b")], False, "higher ones go first anyway"),
    ],
)
def test_who_may_use_the_headroom(others: list[tuple[Priority, str]], may: bool, why: str) -> None:
    ask = Asker(queue())
    one = ask.push(NORMAL)
    for priority, tenant in others:
        ask.push(priority, tenant)

    assert ask.it.may_use_headroom(one) is may, why


def test_who_is_ahead_counts_higher_classes_and_turns_of_ones_own() -> None:
    ask = Asker(queue())
    for priority in (HIGH, HIGH, NORMAL, NORMAL, LOW):
        ask.push(priority, "a")

    assert ask.it.ahead_of(ask.push(NORMAL, "b")) == 3
    assert ask.it.ahead_of(ask.push(HIGH, "b", weight=0.5)) == 2


def test_costs_weigh_what_was_cached_less() -> None:
    one = Request("a", 0.0, 1.0, sequences=2, prompt_tokens=100, output_tokens=5, cached_tokens=90)

    assert Costs().expected(one) == 10 + 0.1 * 90 + 4 * 10
    assert one.tokens == 110
