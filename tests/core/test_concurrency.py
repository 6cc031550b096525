"""Slots come from what the engine reports; the limit from how its first tokens come."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.concurrency import FEWEST, AdaptiveLimit, slots, typical


@pytest.mark.parametrize(
    ("kv_tokens", "max_num_seqs", "max_model_len", "expected_tokens", "slots_wanted", "why"),
    [
        (10_000, 256, 8192, 1000, 10, "ten requests of 1,000 tokens fill the cache"),
        (10_000, 4, 8192, 1000, 4, "the engine runs no more than max_num_seqs"),
        (10_000, 256, 500, 1000, 20, "no request is longer than the model allows"),
        (100, 256, 8192, 1000, 1, "one request may always try"),
    ],
)
def test_slots(
    kv_tokens: int,
    max_num_seqs: int,
    max_model_len: int,
    expected_tokens: int,
    slots_wanted: int,
    why: str,
) -> None:
    found = slots(
        kv_tokens=kv_tokens,
        max_num_seqs=max_num_seqs,
        max_model_len=max_model_len,
        expected_tokens=expected_tokens,
        overcommit=1.0,
    )
    assert found == slots_wanted, why


@pytest.mark.parametrize(
    ("seen_tokens", "sequences", "wanted", "why"),
    [
        (2000, 1, 1010.0, "one more call weighs one hundredth"),
        (4000, 2, 1010.0, "by sequence"),
        (0, 1, 1000.0, "a call that says nothing changes nothing"),
    ],
)
def test_typical_tokens(seen_tokens: int, sequences: int, wanted: float, why: str) -> None:
    assert typical(1000.0, seen_tokens, sequences) == pytest.approx(wanted), why


class Watch:
    """A replica whose first tokens are told to its limit, a window of ten at a time."""

    def __init__(self, target_s: float = 2.0) -> None:
        self.limit = AdaptiveLimit(target_s)
        self.now = 0.0

    def window(
        self, *ttfts_s: float, running: int = 100, prompt_tokens: int = 100, windows: int = 1
    ) -> float:
        for _ in range(windows):
            self.now += 1.0
            for ttft_s in ttfts_s * (10 // len(ttfts_s)):
                self.limit.observe(
                    ttft_s, prompt_tokens=prompt_tokens, running=running, now=self.now
                )
        return self.limit.limit


def test_first_tokens_in_time_limit_nothing() -> None:
    assert Watch().window(0.1, windows=50) == math.inf


def test_one_late_token_in_ten_is_no_reason_and_two_are() -> None:
    assert Watch().window(*[0.1] * 9, 9.0) == math.inf
    assert Watch().window(*[0.1] * 4, 9.0) == 85.0


def test_it_backs_off_by_a_share_and_comes_back_by_a_tenth_or_by_one() -> None:
    it = Watch()
    it.window(0.1)
    assert it.window(9.0) == pytest.approx(85.0)
    assert it.window(9.0, running=85) == pytest.approx(72.25)
    assert it.window(0.1, running=72) == pytest.approx(79.475)
    it.window(9.0, running=5)
    assert it.window(0.1, running=5) == pytest.approx(5.25)


def test_a_limit_that_was_not_reached_has_shown_nothing_and_stays() -> None:
    it = Watch()
    it.window(0.1)
    it.window(9.0)

    assert it.window(0.1, running=20, windows=9) == pytest.approx(85.0)


def test_it_never_falls_below_what_keeps_it_learning() -> None:
    it = Watch()
    it.window(0.1)

    assert it.window(9.0, running=1, windows=50) == FEWEST


def test_a_long_prompt_may_take_as_long_as_its_prefill() -> None:
    it = Watch()
    it.limit.prefilled(1.0, uncached_tokens=10_000)  # its pace

    assert it.window(9.0, prompt_tokens=50_000) == math.inf, "2 s and twice the 5 s of prefill"
    assert it.window(13.0, prompt_tokens=50_000) < math.inf


def test_a_prompt_that_was_cached_says_nothing_of_how_fast_others_are_read() -> None:
    it = Watch()
    it.limit.prefilled(4.0, uncached_tokens=40_000)
    it.limit.prefilled(0.2, uncached_tokens=16)  # of 40,000 tokens

    assert it.window(*[0.2] * 4, 4.0, prompt_tokens=40_000, windows=20) == math.inf


def test_an_engine_that_has_become_slower_is_believed_in_time() -> None:
    it = Watch()
    it.limit.prefilled(0.1, uncached_tokens=10_000)
    slower = {"prompt_tokens": 10_000, "running": 10}

    assert it.window(4.0, windows=20, **slower) == FEWEST
    assert it.window(4.0, windows=600, **slower) > 10.0


def test_few_samples_decide_nothing() -> None:
    it = AdaptiveLimit(2.0)
    for i in range(9):
        it.observe(9.0 + i, prompt_tokens=1, running=5, now=float(i))

    assert repr(it) == "<AdaptiveLimit inf sequences>"


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(1, 200)), max_size=100))
def test_it_stays_within_what_was_seen_to_run(seen: list[tuple[float, int]]) -> None:
    it = AdaptiveLimit(2.0)
    for i, (ttft_s, running) in enumerate(seen):
        it.observe(ttft_s, prompt_tokens=100, running=running, now=i / 5)

    assert it.limit == math.inf or FEWEST <= it.limit <= 202
