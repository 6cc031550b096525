"""A bucket refills by itself, never holds more than fits, and collects its debts."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serve_app.core.rate_limit import Bucket, charge


def bucket(level: float | None = None, *, capacity: float = 60.0, per_s: float = 1.0) -> Bucket:
    return Bucket(capacity, per_s, level=level, now=0.0)


def test_it_starts_full_and_refills_when_it_is_looked_at() -> None:
    it = bucket()
    it.take(60, 0.0)

    assert it.remaining(0.0) == 0
    assert it.remaining(10.0) == 10
    assert it.remaining(1000.0) == 60  # no more than fits


def test_a_clock_that_stands_still_or_goes_back_adds_nothing() -> None:
    it = bucket(0.0)
    it.take(0, 5.0)

    assert it.level(4.0) == it.level(5.0) == 5


def test_an_overrun_is_a_debt_that_refill_pays_first() -> None:
    it = bucket(0.0)
    it.take(10, 0.0)

    assert it.remaining(0.0) == 0
    assert it.level(0.0) == -10
    assert not it.covers(1, 10.5)
    assert it.covers(1, 11.0)


@pytest.mark.parametrize(
    ("tokens", "level", "wait_s", "why"),
    [
        (10, 10, 0, "it is there"),
        (10, 4, 6, "the rest is refilled"),
        (10, -5, 15, "after the debt"),
        (600, 60, 0, "more than fits needs a full bucket, no more"),
        (600, 50, 10, "until it is full"),
    ],
)
def test_the_wait_is_what_refill_takes(tokens: int, level: float, wait_s: float, why: str) -> None:
    it = bucket(level)

    assert it.wait_s(tokens, 0.0) == wait_s, why
    assert it.covers(tokens, wait_s), why


def test_a_request_larger_than_the_bucket_leaves_a_debt() -> None:
    it = bucket()
    it.take(90, 0.0)

    assert it.wait_s(1, 0.0) == 31


def test_without_refill_only_what_is_given_back_returns() -> None:
    it = bucket(capacity=2, per_s=0)
    it.take(2, 0.0)
    assert it.wait_s(1, 0.0) == float("inf")

    it.give(1, 100.0)
    assert it.covers(1, 100.0)


def test_what_comes_back_late_finds_no_room() -> None:
    it = bucket()
    it.take(50, 0.0)
    it.give(50, 55.0)

    assert it.remaining(55.0) == 60


def test_what_is_held_elsewhere_is_not_refilled() -> None:
    it = bucket()
    it.take(20, 0.0)
    it.held = 20

    assert it.level(1000.0) == 40


def test_new_limits_keep_what_is_used() -> None:
    it = bucket()
    it.take(50, 0.0)

    it.resize(120, 2.0, 0.0)
    assert it.level(0.0) == 70

    it.resize(30, 0.5, 0.0)
    assert it.level(0.0) == -20
    assert it.wait_s(5, 0.0) == 50


def test_its_repr_says_what_there_is() -> None:
    assert repr(bucket(12.5)) == "<Bucket 12.5 of 60, 1 per s>"


@pytest.mark.parametrize(
    ("prompt", "cached", "output", "weight", "charged", "why"),
    [
        (1000, 0, 50, 0.1, 1050, "nothing cached"),
        (1000, 900, 50, 0.1, 240, "cached tokens weigh a tenth"),
        (1000, 1000, 1, 0.0, 1, "cached tokens may be free"),
        (1000, 900, 0, 1.0, 1000, "or not"),
        (10, 3, 0, 0.1, 8, "rounded up"),
        (10, 10, 0, 0.3, 3, "0.3 × 10 is 3, whatever floats say"),
        (10, 99, 0, 0.5, 5, "no more is cached than there is"),
    ],
)
def test_an_answer_costs_its_tokens(
    prompt: int, cached: int, output: int, weight: float, charged: int, why: str
) -> None:
    cost = charge(
        prompt_tokens=prompt, cached_tokens=cached, output_tokens=output, cached_weight=weight
    )
    assert cost == charged, why


class Use(RuleBasedStateMachine):
    """Takes, gives, limits and time in any order, beside the sum of all of it."""

    @initialize(capacity=st.integers(1, 500), per_s=st.sampled_from([0.0, 0.1, 1.0, 7.0]))
    def start(self, capacity: int, per_s: float) -> None:
        self.it = Bucket(capacity, per_s, now=0.0)
        self.now = 0.0
        self.most = float(capacity)  # that may ever have been taken, by the limits

    @rule(tokens=st.integers(0, 800))
    def take_if_covered(self, tokens: int) -> None:
        if self.it.covers(tokens, self.now):
            self.it.take(tokens, self.now)
            self.most -= min(tokens, self.it.capacity)
            assert self.most >= -1e-6

    @rule(tokens=st.integers(0, 50))
    def overrun(self, tokens: int) -> None:
        self.it.take(tokens, self.now)

    @rule(tokens=st.integers(0, 50))
    def give(self, tokens: int) -> None:
        before = self.it.level(self.now)
        self.it.give(tokens, self.now)
        self.most += self.it.level(self.now) - before

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.most += seconds * self.it.per_s

    @rule(capacity=st.integers(1, 500))
    def resize(self, capacity: int) -> None:
        self.most += max(0, capacity - self.it.capacity)
        self.it.resize(capacity, self.it.per_s, self.now)

    @invariant()
    def it_holds_between_nothing_and_all(self) -> None:
        if hasattr(self, "it"):
            self.it.check_invariants(self.now)


TestUse = Use.TestCase
TestUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
