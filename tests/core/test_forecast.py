"""The forecast goes by what it has seen, of everybody and of each tenant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.forecast import MOST_TENANTS, PRIOR_ANSWERS, Forecast, Lengths

LENGTHS = st.integers(0, 2**22)


def taught(*lengths: int, tenant: str = "a", expected: int = 512) -> Forecast:
    it = Forecast(expected)
    for tokens in lengths:
        it.observe_output(tokens, tenant)
    return it


def test_until_it_has_seen_answers_it_goes_by_what_the_operator_expects() -> None:
    assert Forecast(512).output_tokens(None) == 512
    assert Forecast(512).output_tokens(None, "a") == 512


@pytest.mark.parametrize(
    ("max_tokens", "wanted", "why"),
    [
        (None, 550, "half the answers have 100 tokens, half 1000"),
        (1000, 550, "a limit that nobody reaches changes nothing"),
        (500, 300, "of the long ones only half is left"),
        (10, 10, "everybody gets that far"),
        (0, 0, "nothing is nothing"),
    ],
)
def test_max_tokens_cuts_what_is_expected(max_tokens: int | None, wanted: int, why: str) -> None:
    it = taught(*[100, 1000] * 1000)

    assert it.output_tokens(max_tokens) == pytest.approx(wanted, rel=0.01), why


def test_the_past_fades() -> None:
    it = taught(*[1000] * 2000, *[10] * 2000)

    assert it.output_tokens(None) < 100


def test_a_tenant_is_known_after_a_few_answers_and_others_stay_as_they_were() -> None:
    it = taught(*[100] * 500, tenant="many")
    it.observe_output(2000, "writer")
    assert it.output_tokens(None, "writer") < 600, "one answer may be an exception"

    for _ in range(15):
        it.observe_output(2000, "writer")

    assert it.output_tokens(None, "writer") > 1500
    assert it.output_tokens(None, "many") < 110
    assert it.output_tokens(None, "new") == it.output_tokens(None) < 400


def test_tenants_that_were_not_heard_of_for_long_are_forgotten() -> None:
    it = taught(*[4000] * 50, tenant="old")
    for i in range(MOST_TENANTS):
        it.observe_output(10, f"t{i}")

    assert it.output_tokens(None, "old") == it.output_tokens(None)


def test_how_much_of_a_prompt_is_cached_is_a_habit() -> None:
    it = Forecast(512)
    assert it.cached_tokens(1000, "a") == 0

    it.observe_cached(900, 1000, "a")
    assert it.cached_tokens(2000, "a") == 1800
    assert it.cached_tokens(2000, "b") == 0
    assert it.output_tokens(None, "a") == 512, "of its answers nothing is known yet"

    for _ in range(100):
        it.observe_cached(0, 1000, "a")
    assert it.cached_tokens(2000, "a") == 0


def test_the_size_of_prompts_is_corrected_slowly_and_within_reason() -> None:
    it = Forecast(512)
    it.observe_prompt(1000, 1_000_000)
    assert it.prompt_tokens(1000) == pytest.approx(1140, abs=1), (
        "one in fifty of eight times as much"
    )

    for _ in range(500):
        it.observe_prompt(1000, 1500)
    assert it.prompt_tokens(1000) == pytest.approx(1500, abs=2)


def test_short_prompts_say_nothing_for_most_of_them_is_template() -> None:
    it = Forecast(512)
    it.observe_prompt(2, 40)

    assert it.prompt_tokens(1000) == 1000


def test_its_repr_is_a_transcript_line() -> None:
    assert repr(Forecast(512)) == "<Forecast 512 tokens, 0 tenants>"


@given(st.lists(LENGTHS, min_size=1, max_size=50), LENGTHS, LENGTHS)
def test_more_is_never_expected_of_a_smaller_limit(seen: list[int], less: int, more: int) -> None:
    less, more = sorted((less, more))
    it = taught(*seen)

    assert it.output_tokens(less, "a") <= it.output_tokens(more, "a")
    assert it.output_tokens(more, "a") <= min(more, max(512, *seen)) + 1


@given(st.lists(LENGTHS, min_size=1, max_size=50))
def test_a_mean_lies_between_the_smallest_and_the_largest(seen: list[int]) -> None:
    it = Lengths()
    for tokens in seen:
        it.add(tokens)

    assert min(seen) <= it.mean(2.0**30) * 1.0001
    assert it.mean(2.0**30) <= max(seen) * 1.0001
    assert it.answers <= len(seen) + 1e-6


def test_it_learns_on_after_any_number_of_answers() -> None:
    it = Lengths()
    it.add(100, PRIOR_ANSWERS)
    for _ in range(25_000):  # past the point where weights would overflow
        it.add(300)

    assert it.mean(1e9) == pytest.approx(300)
    assert it.answers == pytest.approx(500 / 0.693, rel=0.01)


def test_how_dense_a_tenants_text_is_says_nothing_of_anothers() -> None:
    it = Forecast(512)
    for _ in range(300):
        it.observe_prompt(1000, 4000, "dense")

    assert it.prompt_tokens(1000, "dense") == pytest.approx(4000, abs=10)
    assert it.prompt_tokens(1000, "other") == 1000
