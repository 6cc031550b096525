"""Who holds what of a limit: what is granted, kept and given back."""

import pytest

from serve_app.core.budget import Reservation
from serve_app.core.exchange import GONE_S, Message
from serve_app.core.ledger import SMALLEST_SWEEP
from serve_app.core.purse import ACTIVE_S
from serve_app.core.tenant import Identity, RateLimits, Tenant
from serve_app.errors import RateLimited
from tests.core.cluster import Cluster


def test_one_gateway_gets_all_that_is_there_whoever_used_it_before() -> None:
    it = Cluster(tokens_per_min=600)
    it.use("a", 300)
    it.wait(10)  # what "a" held for more requests is back
    it.use("b", 390)

    with pytest.raises(RateLimited):
        it.reserve("c", 11)
    it.wait(5)
    it.reserve("c", 50)


def test_what_a_request_did_not_use_is_there_for_another_gateway() -> None:
    it = Cluster(tokens_per_min=600)
    one = it.reserve("a", 600)
    it.exchange()
    one.settle(100, now=it.now)
    it.wait(4)

    it.reserve("b", 500)


def test_what_comes_back_late_finds_no_room() -> None:
    """Or a bucket that is full again would let in twice what fits."""
    it = Cluster(tokens_per_min=600)
    one = it.reserve("a", 600)
    it.wait(61)
    one.abandon(now=it.now)
    it.reserve("a", 600)

    with pytest.raises(RateLimited):
        it.reserve("a", 1)


def test_a_debt_in_one_gateway_is_paid_by_all() -> None:
    it = Cluster(tokens_per_min=600)
    it.reserve("a", 600).settle(700, now=it.now)
    it.wait(9)

    with pytest.raises(RateLimited) as refused:
        it.reserve("b", 1)
    assert 1 < refused.value.retry_after_s < 2
    it.wait(2)
    it.reserve("b", 1)


def test_what_is_held_for_requests_to_come_is_given_back_when_they_do_not() -> None:
    it = Cluster(tokens_per_min=60_000)
    it.use("a", 1000)
    assert it.purse("a").balance == 1000
    it.use("a", 1000)  # needs no exchange
    it.wait(300)

    it.reserve("b", 60_000)


def test_a_need_that_cannot_be_met_keeps_nobody_from_the_rest() -> None:
    it = Cluster(tokens_per_min=600)
    it.use("a", 50)
    with pytest.raises(RateLimited):
        it.reserve("b", 600)

    for _ in range(10):
        it.use("a", 50)


def test_a_request_that_is_too_large_now_keeps_no_smaller_one_out() -> None:
    it = Cluster(tokens_per_min=600)
    it.use("a", 100)
    with pytest.raises(RateLimited):
        it.reserve("b", 501)

    it.use("b", 400)


def test_what_is_too_little_for_a_request_is_left_for_another_gateway() -> None:
    """Or two gateways would wait for each other's part for ever."""
    it = Cluster(tokens_per_min=600)
    for name in "ab":
        it.gateways[name].try_reserve(it.who, 280, now=it.now)
        it.exchange(name)
        assert it.purse(name).balance == 280  # and the client has left meanwhile

    found = []
    for _ in range(3):
        found += [it.gateways[name].try_reserve(it.who, 500, now=it.now) for name in "ab"]
        it.wait(0.5)
    assert [isinstance(outcome, Reservation) for outcome in found].count(True) == 1


def test_two_limits_that_are_short_in_turns_are_asked_for_together() -> None:
    it = Cluster(requests_per_min=60, tokens_per_min=6000)
    it.use("a", 1)
    it.gateways["a"].try_reserve(it.who, 5000, now=it.now)

    claims = {claim.key[2]: claim for claim in it.gateways["a"].message(now=it.now).claims}
    assert claims["tokens_per_min"].needed == 5000
    assert claims["requests_per_min"].needed == 1  # it is here, and must stay


def test_concurrency_is_counted_over_all_and_every_gateway_lets_one_in() -> None:
    it = Cluster(concurrent=3)
    running = [it.reserve("a") for _ in range(3)]
    with pytest.raises(RateLimited):
        it.reserve("a")
    it.reserve("b")
    with pytest.raises(RateLimited):
        it.reserve("b")

    it.wait(4)
    running.pop().settle(1, now=it.now)
    it.exchange("a")
    with pytest.raises(RateLimited):  # "b" has one too many, and that one counts
        it.reserve("b")
    running.pop().settle(1, now=it.now)
    it.wait(0.5)
    it.reserve("b")


def test_requests_of_a_gateway_that_is_gone_run_no_more_and_its_tokens_stay_spent() -> None:
    it = Cluster(concurrent=2, tokens_per_min=60_000)
    for _ in range(2):
        it.reserve("a", 30_000)
    it.exchange()

    it.wait(GONE_S + 1, "bc")
    it.reserve("b", 5000)
    it.reserve("b", 500)
    with pytest.raises(RateLimited, match="tokens_per_min"):
        it.reserve("c", 5000)


def test_a_limit_that_comes_back_starts_with_new_books() -> None:
    it = Cluster(concurrent=2)
    for _ in range(2):
        it.reserve("a")
    it.exchange()
    it.limits = RateLimits()
    it.reserve("a")
    it.limits = RateLimits(concurrent=2)
    it.reserve("a")
    it.exchange("a")

    assert it.reserve("a")


def test_limits_change_everywhere_with_the_first_gateway_that_knows() -> None:
    it = Cluster(tokens_per_min=600)
    it.use("a", 400)
    it.use("b", 100)
    it.exchange()
    it.limits = RateLimits(tokens_per_min=1200)

    it.use("b", 650)
    with pytest.raises(RateLimited):
        it.reserve("a", 100)
    [state] = it.gateways["b"].states(it.who, now=it.now)
    assert (state.capacity, state.remaining) == (1200, 50)
    assert state.reset_s == pytest.approx(57.5)


def test_a_message_that_a_later_one_has_overtaken_is_not_read() -> None:
    it = Cluster(tokens_per_min=600)
    late = it.gateways["a"].message(now=it.now)
    it.use("a", 100)

    answer = it.ledger.exchange(late, now=it.now)
    assert (answer.is_ready, answer.grants) == (False, [])
    assert it.ledger.exchange(Message("a", 10**6, "", 0.0, []), now=it.now).is_ready


def test_who_is_idle_costs_no_messages_and_at_last_no_memory() -> None:
    it = Cluster(tokens_per_min=60, concurrent=1)
    for number in range(2 * SMALLEST_SWEEP):
        who = Identity(Tenant(f"t{number}", limits=it.limits))
        it.gateways["a"].try_reserve(who, 1, now=it.now)
        it.exchange("a")
        if number % 16 == 0:
            it.now += ACTIVE_S
            it.exchange("a")
            it.exchange("a")

    assert len(it.gateways["a"].message(now=it.now).claims) <= 64
    assert len(it.gateways["a"]._budgets) < SMALLEST_SWEEP
    assert len(it.ledger._accounts) < 2 * SMALLEST_SWEEP  # of four times as many


def test_their_reprs_are_transcript_lines() -> None:
    it = Cluster(tokens_per_min=6000)
    it.reserve("a", 300)

    assert repr(it.gateways["a"]) == "<Limiter 1 budgets, 300 tokens out, in touch>"
    assert repr(it.purse("a")) == "<Purse tenant/t/tokens_per_min 300>"
    assert repr(it.ledger) == "<Ledger 3 gateways, 1 accounts>"
    [account] = it.ledger._accounts.values()
    assert repr(account) == (
        "<Account tenant/t/tokens_per_min <Bucket 5400 of 6000, 100 per s>, held {'a': 600}>"
    )
