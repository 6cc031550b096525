"""What traffic needs, by arithmetic."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.sim.scaling.demand import Window, slowdown, slower, survey
from serve_app.sim.scaling.fleet import Rates, Slo
from serve_app.sim.traffic import Arrival

RATES = Rates(10_000.0, ((1, 0.02),), 100_000, 50, 2048)


@pytest.mark.parametrize(
    ("prompts", "answers", "replicas", "why"),
    [
        (10_000, 0, 2.0, "half of the time may go into prefill, or TPOT more than doubles"),
        (0, 2500, 1.0, "50 sequences at 20 ms a token"),
        (5000, 2500, 1.5, "each second sequence has 0.5 s less for its tokens"),
        (0, 0, 0.0, "nothing"),
    ],
)
def test_a_window_needs_what_its_tokens_take(prompts, answers, replicas, why):
    window = Window(10.0, 100, prompts * 10, answers * 10)
    assert window.replicas(RATES, Slo()) == pytest.approx(replicas), why


def test_steps_that_are_no_line_need_as_many_as_are_in_time_beside_each_other():
    rates = replace(RATES, decode_steps=((1, 0.01), (4, 0.02), (64, 0.08)))
    window = Window(1.0, 10, 0, 2000)
    assert window.replicas(rates, Slo()) == pytest.approx(10), "4 sequences make 200 tokens/s"
    assert window.replicas(rates, Slo(tpot_s=0.05)) == pytest.approx(2000 * 0.05 / 34)
    assert Window(1.0, 10, 1000, 2000).replicas(rates, Slo()) > 10


def test_a_limit_below_one_step_cannot_be_kept():
    assert Window(1.0, 1, 1, 1).replicas(RATES, Slo(tpot_s=0.01)) == math.inf


@given(tokens=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), times=st.floats(0.1, 10))
def test_slower_replicas_are_needed_in_proportion(tokens, times):
    window = Window(60.0, 100, *tokens)
    needed = window.replicas(RATES, Slo())
    assert window.replicas(slower(RATES, times), Slo()) == pytest.approx(needed * times)


def test_a_survey_has_ten_minutes_a_window_or_a_sixth_of_a_short_trace():
    arrivals = [Arrival(at, "t", 10, 2) for at in (0.0, 599.0, 600.0, 3599.0, 4200.0)]
    long, short = survey(arrivals, 4200.0), survey(arrivals[:2], 600.0)
    assert [w.requests for w in long.windows] == [2, 1, 0, 0, 0, 1, 1]
    assert [(w.requests, w.seconds) for w in short.windows] == [
        (1, 100),
        (0, 100),
        (0, 100),
        (0, 100),
        (0, 100),
        (1, 100),
    ]
    assert long.total.requests == 5
    assert (long.busiest, long.span(1)) == (0, (600.0, 1200.0))


def test_a_slowdown_makes_the_busiest_window_need_so_many():
    arrivals = [Arrival(float(at), "t", 1000, 100) for at in range(600)]
    found = survey(arrivals, 600.0)
    times = slowdown(found, RATES, Slo(), 8)
    assert found.peak(slower(RATES, times), Slo()) == pytest.approx(8)
