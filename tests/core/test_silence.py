"""Gateways that hear no ledger go by their shares; a new ledger learns what they know."""

import pytest

from serve_app.core.budget import Reservation
from serve_app.core.exchange import GONE_S, SILENCE_S, WARM_UP_S
from serve_app.core.ledger import Ledger
from serve_app.core.limiter import Limiter
from serve_app.core.purse import ACTIVE_S
from serve_app.errors import RateLimited
from tests.core.cluster import Cluster


def test_shares_follow_demand_and_nobody_is_shut_out() -> None:
    it = Cluster(tokens_per_min=6000)
    for _ in range(8):
        it.use("a", 90)
        it.use("b", 10)
        it.wait(0.5)

    shares = [it.purse(name).share for name in "ab"]
    assert shares == pytest.approx([1 / 6 + 0.45, 1 / 6 + 0.05], abs=0.02)


def test_silent_gateways_go_on_from_what_is_left_with_their_shares() -> None:
    it = Cluster(tokens_per_min=6000)
    for name in "ab":
        it.use(name, 300)
    it.wait(4)
    it.fall_silent()

    left = [it.purse(name).remaining(it.now) for name in "ab"]
    assert sum(left) == pytest.approx(6000 * 5 / 6, rel=0.01)  # a sixth is for "c"
    with pytest.raises(RateLimited):
        it.reserve("c", 1)  # which cannot know what the others used
    it.now += 6.0
    assert it.purse("c").remaining(it.now) == pytest.approx(600 / 6)


def test_one_lost_answer_is_no_silence() -> None:
    it = Cluster(tokens_per_min=6000)
    it.use("a", 300)
    it.now += SILENCE_S - 0.1
    it.gateways["a"].miss(now=it.now)

    assert not it.gateways["a"].is_alone


def test_a_purse_that_was_not_told_of_lately_starts_empty() -> None:
    """Others may have used all of the limit since."""
    it = Cluster(tokens_per_day=100_000)
    it.use("a", 10_000)
    it.wait(3 * ACTIVE_S)
    it.use("b", 80_000)
    it.fall_silent()

    assert it.purse("a").remaining(it.now) == 0
    assert it.purse("b").remaining(it.now) > 0


def test_what_was_spent_in_silence_is_taken_off_afterwards() -> None:
    it = Cluster(tokens_per_min=600)
    it.use("a", 10)
    it.wait(4)
    it.fall_silent("a")
    left = int(it.purse("a").remaining(it.now))
    it.use("a", left)
    it.wait(1)

    with pytest.raises(RateLimited):
        it.reserve("b", 600 - left + 20)
    it.wait(4)
    it.reserve("b", 600 - left)


def test_the_share_of_who_may_hear_nothing_is_put_aside() -> None:
    it = Cluster(tokens_per_min=6000)
    for _ in range(4):
        it.use("a", 100)
        it.wait(0.5)
    it.wait(SILENCE_S, "bc")

    with pytest.raises(RateLimited):
        it.reserve("b", 2000)  # two thirds are for "a"
    it.wait(GONE_S, "bc")
    it.reserve("b", 2000)


def test_what_another_ledger_said_does_not_count_as_heard() -> None:
    it = Cluster(tokens_per_min=6000)
    for _ in range(4):
        it.use("a", 100)
        it.wait(0.5)
    for _ in range(4):
        it.wait(0.5, "bc")
        message = it.gateways["a"].message(now=it.now)
        it.ledger.exchange(message._replace(ledger="other", heard_at=it.now), now=it.now)

    with pytest.raises(RateLimited):
        it.reserve("b", 2000)


def test_a_new_ledger_believes_the_lowest_level_that_anybody_saw() -> None:
    it = Cluster(tokens_per_min=6000)
    for name in "ab":
        it.use(name, 10)
    it.wait(4)
    it.use("a", 4000)
    it.exchange("a")  # "b" has not heard of it
    it.start_ledger_anew()

    with pytest.raises(RateLimited):
        it.reserve("b", 2400)
    assert not it.gateways["b"].is_alone


def test_a_new_ledger_adds_up_what_all_spent_without_one() -> None:
    it = Cluster(tokens_per_min=6000)
    for name in "ab":
        it.use(name, 10)
    it.wait(4)
    it.use("b", 1000)
    it.exchange("b")  # "a" is told first, and has seen 1000 more
    it.fall_silent()
    for name in "ab":
        it.use(name, 1000)
    it.start_ledger_anew()
    it.wait(4)

    left = 6000 - 3 * 1000 + (SILENCE_S + 2.5 + 4) * 100
    with pytest.raises(RateLimited):
        it.reserve("c", int(left) + 50)
    it.reserve("c", int(left) - 250)


def test_a_new_ledger_is_told_of_what_was_used_long_ago_too() -> None:
    it = Cluster(tokens_per_day=100_000)
    it.use("a", 90_000)
    it.wait(3 * ACTIVE_S)
    assert it.gateways["a"].message(now=it.now).claims == []
    it.start_ledger_anew()

    with pytest.raises(RateLimited):
        it.reserve("b", 20_000)


def test_a_new_ledger_counts_the_requests_that_run() -> None:
    it = Cluster(concurrent=3)
    for _ in range(3):
        it.reserve("a")
    it.start_ledger_anew()

    it.reserve("b")  # every gateway lets one in
    with pytest.raises(RateLimited):
        it.reserve("b")


def test_a_gateway_waits_for_a_ledger_that_is_not_ready_yet() -> None:
    it = Limiter("late")
    ledger = Ledger("new", now=WARM_UP_S)
    it.seek(now=0.0)
    it.hear(ledger.exchange(it.message(now=1.9), now=1.9), now=1.9)
    it.miss(now=3.0)
    assert not it.is_alone

    it.miss(now=1.9 + SILENCE_S)
    assert it.is_alone


def test_a_gateway_that_never_heard_a_ledger_has_its_part_of_everything() -> None:
    it = Cluster(tokens_per_min=6000, concurrent=7)
    alone = Limiter("d", gateways=3)
    for _ in range(2):
        assert isinstance(alone.try_reserve(it.who, 1000, now=0.0), Reservation)
    with pytest.raises(RateLimited, match="concurrent"):
        alone.reserve(it.who, 0, now=0.0)
