"""One gateway by itself: a request takes from its tenant and its key, all or nothing, once."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serve_app.core.budget import Reservation, Shortage
from serve_app.core.limiter import SMALLEST_SWEEP, Limiter
from serve_app.core.tenant import Identity, RateLimits, Tenant
from serve_app.errors import RateLimited


def identity(*, of_key: RateLimits | None = None, **of_tenant: int) -> Identity:
    tenant = Tenant("acme", limits=RateLimits(**of_tenant))
    return Identity(tenant, "k", of_key or RateLimits())


def left(limiter: Limiter, who: Identity, *, now: float = 0.0) -> dict[str, int]:
    states = limiter.states(who, now=now)
    return {f"{state.whose[0]} {state.limit}": state.remaining for state in states}


def test_without_limits_everything_is_let_in() -> None:
    it = Limiter("g")
    it.reserve(Identity(Tenant("acme")), 10**9, now=0.0).settle(10**9, now=0.0)

    assert left(it, Identity(Tenant("acme"))) == {}
    assert repr(it) == "<Limiter 1 budgets, 0 tokens out, alone>"


def test_a_request_takes_from_the_tenant_and_the_key() -> None:
    it = Limiter("g")
    who = identity(
        of_key=RateLimits(tokens_per_min=100),
        requests_per_min=10,
        tokens_per_min=1000,
        tokens_per_day=5000,
        concurrent=2,
    )
    it.reserve(who, 60, now=0.0)

    assert left(it, who) == {
        "tenant requests_per_min": 9,
        "tenant tokens_per_min": 940,
        "tenant tokens_per_day": 4940,
        "key tokens_per_min": 40,
    }


def test_all_or_nothing_and_the_error_says_which_limit_of_what() -> None:
    it = Limiter("g")
    who = identity(of_key=RateLimits(tokens_per_min=60), tokens_per_min=1000)
    it.reserve(who, 50, now=0.0)

    with pytest.raises(RateLimited) as refused:
        it.reserve(who, 50, now=0.0)

    assert refused.value.message == (
        "key k may use 60 tokens a minute (tokens_per_min); 10 are left and this request "
        "needs 50; try again in 40 s"
    )
    assert refused.value.retry_after_s == 40
    assert left(it, who)["tenant tokens_per_min"] == 950
    it.reserve(who, 50, now=40.0)


def test_it_waits_for_the_bucket_that_takes_longest() -> None:
    it = Limiter("g")
    who = identity(requests_per_min=1, tokens_per_min=60, tokens_per_day=864)
    it.reserve(who, 60, now=0.0)
    it.reserve(identity(requests_per_min=2, tokens_per_day=864), 804, now=0.0)

    short = it.try_reserve(who, 60, now=0.0)

    assert isinstance(short, Shortage)
    assert (short.limit, short.retry_after_s) == ("tokens_per_day", pytest.approx(6000))


def test_as_many_at_once_as_the_limit_and_a_second_to_wait() -> None:
    it = Limiter("g")
    who = identity(concurrent=2)
    first = it.reserve(who, 1, now=0.0)
    it.reserve(who, 1, now=0.0)
    with pytest.raises(RateLimited, match=r"2 requests at once \(concurrent\)") as refused:
        it.reserve(who, 1, now=0.0)
    assert refused.value.retry_after_s == 1

    first.abandon(now=0.0)
    it.reserve(who, 1, now=0.0)


def test_settling_gives_back_what_was_not_used() -> None:
    it = Limiter("g")
    who = identity(tokens_per_min=1000, requests_per_min=10)
    it.reserve(who, 900, now=0.0).settle(100, now=0.0)

    assert left(it, who) == {"tenant requests_per_min": 9, "tenant tokens_per_min": 900}


def test_settling_for_more_leaves_a_debt() -> None:
    it = Limiter("g")
    who = identity(tokens_per_min=600)
    it.reserve(who, 600, now=0.0).settle(650, now=0.0)

    assert left(it, who, now=5.0) == {"tenant tokens_per_min": 0}
    assert left(it, who, now=6.0) == {"tenant tokens_per_min": 10}


def test_abandoning_gives_the_tokens_back_but_the_request_stays_counted() -> None:
    it = Limiter("g")
    who = identity(tokens_per_min=1000, requests_per_min=10)
    it.reserve(who, 900, now=0.0).abandon(now=0.0)

    assert left(it, who) == {"tenant requests_per_min": 9, "tenant tokens_per_min": 1000}


def test_a_reservation_ends_once() -> None:
    it = Limiter("g")
    who = identity(tokens_per_min=1000, concurrent=1)
    one = it.reserve(who, 500, now=0.0)
    one.settle(200, now=0.0)
    one.settle(0, now=0.0)
    one.abandon(now=0.0)

    assert left(it, who) == {"tenant tokens_per_min": 800}
    assert (it.tally.settled, it.tally.abandoned, it.tally.outstanding) == (500, 0, 0)


def test_a_request_larger_than_the_limit_needs_all_of_it_and_leaves_a_debt() -> None:
    it = Limiter("g")
    who = identity(tokens_per_min=600)
    it.reserve(who, 700, now=0.0)

    short = it.try_reserve(who, 700, now=0.0)
    assert isinstance(short, Shortage)
    assert short.retry_after_s == 70  # 100 of debt, then 600


def test_limits_change_while_requests_run_and_what_is_used_stays_used() -> None:
    it = Limiter("g")
    one = it.reserve(identity(tokens_per_min=600), 500, now=0.0)

    wider = identity(tokens_per_min=1200, requests_per_min=5)
    assert left(it, wider) == {"tenant requests_per_min": 5, "tenant tokens_per_min": 700}

    one.settle(100, now=0.0)
    assert left(it, wider) == {"tenant requests_per_min": 5, "tenant tokens_per_min": 1100}
    assert left(it, identity(requests_per_min=5)) == {"tenant requests_per_min": 5}


def test_tenants_that_are_idle_are_forgotten_and_the_others_not() -> None:
    it = Limiter("g")
    limits = RateLimits(tokens_per_min=60, concurrent=1)

    def tenant(name: int) -> Identity:
        return Identity(Tenant(f"t{name}", limits=limits))

    running = it.reserve(tenant(0), 0, now=0.0)
    for name in range(1, 10 * SMALLEST_SWEEP):
        it.reserve(tenant(name), 1, now=float(name)).settle(1, now=float(name))

    assert len(it._budgets) <= 2 * SMALLEST_SWEEP
    with pytest.raises(RateLimited):
        it.reserve(tenant(0), 0, now=1000.0)
    running.settle(0, now=1000.0)
    it.reserve(tenant(0), 0, now=1000.0)


class Requests(RuleBasedStateMachine):
    """Requests of two keys of one tenant begin and end in any order."""

    @initialize()
    def start(self) -> None:
        self.it, self.now = Limiter("g"), 0.0
        self.open: list[Reservation] = []
        self.spent, self.refilled = 0, 0.0  # of the tenant's tokens a minute
        self.limits = RateLimits(60, 600, 5000, 4)

    def who(self, key: str) -> Identity:
        of_key = RateLimits(tokens_per_min=300, concurrent=2)
        return Identity(Tenant("acme", limits=self.limits), key, of_key)

    @rule(key=st.sampled_from("ab"), tokens=st.integers(0, 300))
    def begin(self, key: str, tokens: int) -> None:
        before = left(self.it, self.who(key), now=self.now)
        found = self.it.try_reserve(self.who(key), tokens, now=self.now)
        if isinstance(found, Reservation):
            self.open.append(found)
            self.spent += tokens
        else:
            assert found.retry_after_s > 0
            assert before == left(self.it, self.who(key), now=self.now)  # all or nothing

    @rule(data=st.data(), used=st.integers(0, 400), does_settle=st.booleans())
    def end(self, data: st.DataObject, used: int, does_settle: bool) -> None:
        if self.open:
            one = data.draw(st.sampled_from(self.open))
            self.open.remove(one)
            if does_settle:
                one.settle(used, now=self.now)
                self.spent -= max(0, one.tokens - used)  # overruns are paid from refill
            else:
                one.abandon(now=self.now)
                self.spent -= one.tokens
            one.settle(used, now=self.now)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.refilled += seconds * 10

    @invariant()
    def nothing_is_lost_and_nothing_is_spent_twice(self) -> None:
        if hasattr(self, "it"):
            self.it.check_invariants(now=self.now)
            assert self.it.tally.outstanding == sum(one.tokens for one in self.open)
            assert len(self.open) <= 4
            assert self.spent <= 600 + self.refilled + 1e-6


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
