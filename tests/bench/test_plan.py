"""The order of a run, and what each measurement sends."""

from dataclasses import replace

import pytest

from serve_app.bench.errors import BenchError
from serve_app.bench.level import Level
from serve_app.bench.plan import Plan, mark
from serve_app.bench.target import Target
from serve_app.bench.trace import Trace
from serve_app.bench.words import Words
from serve_app.bench.workload import Random
from serve_app.traces.recorded import Recorded

EIGHT = Level("concurrency", 8)
TARGETS = [Target(name, "http://127.0.0.1/v1") for name in "abc"]
PLAN = Plan(TARGETS, Random(Words(), input_tokens=20, output_tokens=30), [EIGHT], rounds=3)
TRACE = Trace("t", (Recorded(0, 10, 10), Recorded(1, 90, 10)), Words())


def test_the_order_of_targets_alternates_from_round_to_round():
    assert [list(PLAN.order(number)) for number in range(3)] == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_requests_are_equal_within_a_round_and_differ_between_rounds_and_levels():
    assert PLAN.asks(EIGHT, 0) == PLAN.asks(EIGHT, 0)
    assert PLAN.asks(EIGHT, 0) != PLAN.asks(EIGHT, 1)
    assert PLAN.asks(EIGHT, 0)[0] != PLAN.asks(Level("concurrency", 9), 0)[0]


def test_another_seed_sends_other_requests():
    assert PLAN.asks(EIGHT, 0) != replace(PLAN, seed=1).asks(EIGHT, 0)


def test_arrivals_are_equal_within_a_round():
    rate = Level("rate", 2)
    asks = PLAN.asks(rate, 0)
    assert PLAN.arrivals_s(rate, asks, 0) == PLAN.arrivals_s(rate, asks, 0)
    assert PLAN.arrivals_s(rate, asks, 0) != PLAN.arrivals_s(rate, asks, 1)


def test_no_two_measurements_have_the_same_mark():
    marks = {tuple(mark(1.5, number, name)) for number in range(50) for name in "abc"}
    assert len(marks) == 150


def test_warm_up_asks_for_short_answers_to_other_prompts():
    warm_up = PLAN.warm_up_asks(EIGHT, 0)
    assert len(warm_up) == 8
    assert {ask.output_tokens for ask in warm_up} == {8}
    assert not {ask.text for ask in warm_up} & {ask.text for ask in PLAN.asks(EIGHT, 0)}


def test_warm_up_can_be_left_out():
    assert replace(PLAN, warm_up=0).warm_up_asks(EIGHT, 0) == []


@pytest.mark.parametrize(
    ("changes", "total", "why"),
    [
        ({}, 32 * 3 * 3, "four for each in flight, per target and round"),
        ({"requests": 5}, 5 * 3 * 3, "as the user says"),
        ({"workload": TRACE}, 2 * 3 * 3, "no more than the trace has"),
    ],
)
def test_the_whole_run_is_counted_before_it_starts(changes, total, why):
    assert replace(PLAN, **changes).total == total, why


def test_fields_of_every_request_can_be_added_and_left_out():
    plan = replace(PLAN, extra_body={"ignore_eos": None, "top_k": 1})
    assert PLAN.fields == {"temperature": 0, "ignore_eos": True}
    assert plan.fields == {"temperature": 0, "top_k": 1}


def test_a_trace_is_cut_to_what_the_targets_take():
    assert replace(PLAN, workload=TRACE).fitting(50).workload.size == 1
    assert replace(PLAN, workload=TRACE).fitting(100).workload.size == 2


def test_made_up_requests_that_no_target_takes_are_refused_with_both_lengths():
    assert PLAN.fitting(50) == PLAN.fitting(None) == PLAN
    with pytest.raises(BenchError, match="requests of 50 tokens do not fit into the 49"):
        PLAN.fitting(49)
