"""Percentiles, rates, goodput, costs and ratios."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.bench.metrics import PERCENTILES, Spread, percentiles, ratios, summary
from serve_app.bench.price import Price
from serve_app.bench.slo import Slo
from serve_app.checking.question import QuestionError
from tests.bench.made import answer, measurement

FAILED = answer(error="429 queue_full: 1000 wait")


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=300))
def test_percentiles_are_numpys_and_so_vllms(values):
    assert percentiles(values) == pytest.approx(np.percentile(values, PERCENTILES), abs=1e-9)


def test_percentiles_are_over_the_requests_of_all_rounds():
    rounds = [measurement([answer(ttft_s=0.1)] * 3), measurement([answer(ttft_s=0.5)] * 2)]
    assert summary(rounds, Slo())["ttft_p50_s"] == 0.1  # the mean of the rounds' would be 0.3


def test_rates_are_those_of_the_median_round():
    rounds = [measurement([answer()] * 4, duration_s=duration_s) for duration_s in (1, 2, 8)]
    numbers = summary(rounds, Slo())
    assert numbers["requests_per_s"] == 2
    assert numbers["output_tokens_per_s"] == 22


def test_an_error_counts_as_one_and_as_nothing_else():
    numbers = summary([measurement([answer(), FAILED])], Slo(ttft_s=1))
    assert (numbers["requests"], numbers["errors"]) == (2, 1)
    assert (numbers["requests_per_s"], numbers["goodput_per_s"]) == (0.5, 0.5)
    assert numbers["ttft_p99_s"] == 0.1


def test_where_everything_failed_there_are_no_times():
    numbers = summary([measurement([FAILED])], Slo())
    assert numbers["requests_per_s"] == 0
    assert "ttft_p50_s" not in numbers


def test_tpot_is_the_time_of_a_token_where_itl_is_that_of_a_chunk():
    packed = answer(ttft_s=0.1, itl_s=0.04, tokens=3)
    numbers = summary([measurement([replace(packed, output_tokens=5)])], Slo())
    assert numbers["itl_p50_s"] == pytest.approx(0.04)
    assert numbers["tpot_p50_s"] == pytest.approx(0.02)


def test_an_answer_of_one_token_has_no_tpot():
    assert "tpot_p50_s" not in summary([measurement([answer(tokens=1)])], Slo())


@pytest.mark.parametrize(
    ("slo", "is_met", "why"),
    [
        ("", True, "nothing is asked for"),
        ("ttft=100ms,tpot=20ms,e2e=0.3s", True, "exactly as slow as allowed"),
        ("ttft=99ms", False, "the first token"),
        ("tpot=19ms", False, "the others"),
        ("e2e=299ms", False, "all of it"),
    ],
)
def test_an_answer_meets_an_objective_when_every_time_does(slo, is_met, why):
    quick = answer(ttft_s=0.1, itl_s=0.02, tokens=11)
    rounded = replace(quick, e2e_s=0.3)
    assert Slo.parse(slo).is_met(rounded) == is_met, why


@pytest.mark.parametrize(
    ("slo", "said"),
    [
        ("ttft=200", "has no unit: write ttft=200ms"),
        ("ttft=fastms", "must be a number above 0"),
        ("tftt=1s", "did you mean ttft?"),
        ("ttft", "ttft has no value"),
    ],
)
def test_an_objective_that_could_be_misread_is_refused(slo, said):
    with pytest.raises(QuestionError) as refused:
        Slo.parse(slo)
    assert said in str(refused.value)


def test_goodput_is_there_only_when_something_was_asked_for():
    assert "goodput_per_s" not in summary([measurement([answer()])], Slo())


@pytest.mark.parametrize(
    ("price", "all_tokens", "output_tokens", "why"),
    [
        (Price.parse("input=1"), 1.0 * 256 / 267, 256 / 11, "per token in"),
        (Price.parse("output=2"), 2.0 * 11 / 267, 2.0, "per token out"),
        (Price.parse("hour=3.6"), 0.002 / 267 * 1e6, 0.002 / 11 * 1e6, "2 s of a machine"),
    ],
)
def test_costs_are_all_dollars_over_all_tokens(price, all_tokens, output_tokens, why):
    numbers = summary([measurement([answer()], duration_s=2)], Slo(), price)
    assert numbers["usd_per_million_tokens"] == pytest.approx(all_tokens), why
    assert numbers["usd_per_million_output_tokens"] == pytest.approx(output_tokens), why


def test_a_ratio_is_taken_within_a_round_and_the_median_of_rounds_is_shown():
    first = [{"ttft_p50_s": 1.0}, {"ttft_p50_s": 10.0}, {"ttft_p50_s": 2.0}]
    ours = [{"ttft_p50_s": 1.1}, {"ttft_p50_s": 11.0}, {"ttft_p50_s": 3.0}]
    spread = ratios(ours, first)["ttft_p50_s"]
    assert (spread.median, spread.low, spread.high) == pytest.approx((1.1, 1.1, 1.5))


def test_a_round_in_which_one_target_has_no_number_has_no_ratio():
    ours = [{"ttft_p50_s": 2.0}, {}, {"ttft_p50_s": 9.0}]
    first = [{"ttft_p50_s": 1.0}, {"ttft_p50_s": 1.0}, {}]
    assert ratios(ours, first) == {"ttft_p50_s": Spread(2.0, 2.0, 2.0)}


def test_nothing_is_a_multiple_of_nothing():
    assert ratios([{"requests_per_s": 1.0}], [{"requests_per_s": 0.0}]) == {}


@given(st.lists(st.tuples(st.floats(0.01, 9), st.floats(0.01, 9)), min_size=1, max_size=9))
def test_the_median_lies_within_the_spread(pairs):
    spread = Spread.of([ours / first for ours, first in pairs])
    assert spread.low <= spread.median <= spread.high
