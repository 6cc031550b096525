"""What a calibration asks of an endpoint, before vLLM's client is loaded."""

import pytest

from serve_app.bench.answer import Answer
from serve_app.bench.calibration import loads
from serve_app.bench.calibration.asked import Given, asked_of
from serve_app.bench.calibration.settled import settled_step_s
from serve_app.bench.calibration.sizes import sizes
from serve_app.bench.errors import BenchError
from serve_app.calibration.document import Sizes
from serve_app.cli import _parser, main

TARGET = ["bench", "--target", "a=http://127.0.0.1:9", "--calibrate", "rates.json"]
UNKNOWN = Given(None, None, None, None)
VLLM = 'vllm:cache_config_info{block_size="16",kv_cache_size_tokens="%s",num_gpu_blocks="91"} 1.0\n'
OURS = """# HELP engine_kv_tokens Tokens that its KV cache holds
engine_kv_tokens{application="a",replica="r1"} 11648.0
engine_kv_tokens{application="a",replica="r2"} 9.0
engine_max_num_seqs{application="a",replica="r1"} 16.0
engine_max_num_batched_tokens{application="a",replica="r1"} 2048.0
engine_steps_ahead{application="a",replica="r1"} 1.0
"""


def asked(*words):
    return asked_of(_parser().parse_args([*TARGET, *words]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "b=http://h"], "exactly one --target"),
        (["--workload", "chat"], "leave --workload out"),
        (["--rate", "2"], "--rate means nothing with --calibrate"),
        (["--json", "x"], "--json means nothing with --calibrate"),
        (["--kv-tokens", "0"], "--kv-tokens is 0"),
        (["--rounds", "0"], "--rounds is 0"),
        (["--calibrate", "/nothing-here/rates.json"], "cannot be written"),
    ],
)
def test_a_wrong_question_is_one_line_and_status_2(words, said, capsys):
    assert main([*TARGET, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("metrics", "given", "found", "why"),
    [
        (OURS, UNKNOWN, Sizes(11648, 16, 2048, 1), "the first replica of our gateway"),
        (VLLM % 11648, Given(None, 16, 2048, 1), Sizes(11648, 16, 2048, 1), "vLLM counts tokens"),
        (VLLM % "None", Given(None, 16, 2048, 0), Sizes(1456, 16, 2048, 0), "or its blocks"),
        (OURS, Given(None, 8, None, None), Sizes(11648, 8, 2048, 1), "the command line goes first"),
        (OURS, Given(None, None, None, 0), Sizes(11648, 16, 2048, 0), "also where it says none"),
        ("", Given(1, 2, 3, 1), Sizes(1, 2, 3, 1), "nothing is said"),
    ],
)
def test_sizes_are_given_or_reported(metrics, given, found, why):
    assert sizes(metrics, given) == found, why


def test_sizes_that_nobody_says_are_asked_for():
    with pytest.raises(
        BenchError, match="add --max-num-seqs, --max-num-batched-tokens, --steps-ahead, as"
    ):
        sizes(VLLM % 100, UNKNOWN)


@pytest.mark.parametrize(
    ("chunk_tokens", "whole", "many", "why"),
    [
        (2048, [64, 128, 256, 448], 24, "three full steps, of eight each"),
        (200, [64, 128], 3, "longer ones are not read in a step; in three are two and a bit"),
        (10, [], 2, "at least two, for time goes by between them"),
    ],
)
def test_prompts_are_read_in_a_step_or_fill_some(chunk_tokens, whole, many, why):
    holds, its = Sizes(10**6, 64, chunk_tokens, 0), asked("--input-tokens", "256")
    assert its.in_a_step(holds) == whole, why
    assert its.in_full_steps(holds) == [256] * many, why


@pytest.mark.parametrize(
    ("words", "holds", "found", "why"),
    [
        ([], Sizes(10**6, 16, 1, 0), [1, 2, 4, 8, 16], "doubling"),
        ([], Sizes(10**6, 10**4, 1, 0), [1, 2, 4, 8, 16, 32, 64, 128, 256], "not for ever"),
        ([], Sizes(1000, 16, 1, 0), [1, 2], "320 tokens each must fit"),
        (["--concurrency", "5,1,99"], Sizes(10**6, 16, 1, 0), [1, 5], "as asked, if they fit"),
    ],
)
def test_decode_steps_are_measured_up_to_what_the_endpoint_holds(words, holds, found, why):
    assert asked(*words).concurrencies(holds) == found, why


def test_one_sequence_at_a_time_is_no_line():
    with pytest.raises(BenchError, match="1 such requests at once"):
        asked().concurrencies(Sizes(10**6, 1, 1, 0))


def test_prompts_alone_span_what_loads_draw_from():
    question = asked("--input-tokens", "100", "--output-tokens", "20", "--requests", "200")
    assert question.prompt_lengths == [25, 50, 100, 175]
    drawn = loads.mixed(question, 0.5, 0)
    prompts = [ask.input_tokens for ask in drawn]
    assert (min(prompts), max(prompts)) == pytest.approx((25, 175), abs=5)
    assert {ask.output_tokens for ask in drawn} <= set(range(5, 36))
    longest = question.longest.plan.workload.longest_tokens
    assert max(ask.input_tokens + ask.output_tokens for ask in drawn) <= longest


def test_requests_of_a_load_arrive_at_its_rate_or_all_at_once():
    question = asked("--requests", "30")
    assert loads.arrivals_s(question, 0.0, 0.0, 0) == [0.0] * 30
    at_s = loads.arrivals_s(question, 0.5, 2.0, 0)
    assert at_s == sorted(at_s)
    assert 10 < at_s[-1] < 15
    assert loads.arrivals_s(question, 0.5, 2.0, 1) != at_s


@pytest.mark.parametrize(
    ("itls_s", "tokens", "step_s", "why"),
    [
        ((0.3, 0.3, 0.02, 0.02), 5, 0.02, "others' prompts are read in the first half"),
        ((0.04, 0.04), 5, 0.02, "two tokens a chunk"),
        ((), 1, None, "no second token"),
    ],
)
def test_a_step_is_timed_when_all_prompts_have_been_read(itls_s, tokens, step_s, why):
    answer = Answer(itls_s=itls_s, output_tokens=tokens)
    assert settled_step_s(answer) == pytest.approx(step_s), why
