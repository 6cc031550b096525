"""`serve-app bench`: what is wrong with a question is one line, before vLLM is loaded."""

import json
import sys

import pytest

from serve_app.bench.asked import plan_of
from serve_app.bench.level import Level
from serve_app.bench.price import Price
from serve_app.bench.trace import Trace
from serve_app.bench.workload import Chat
from serve_app.cli import _parser, main

TARGET = ["--target", "a=http://127.0.0.1:9"]


def plan(*words):
    return plan_of(_parser().parse_args(["bench", *TARGET, *words]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "a=http://h"], "two targets are called a"),
        (["--target", "b"], "write NAME=URL"),
        (["--workload", "shard-prefix"], "did you mean shared-prefix?"),
        (["--workload", "trace:nothing-here"], "nothing-here"),
        (["--prefix-tokens", "9"], "--prefix-tokens means nothing for random"),
        (["--input-tokens", "0"], "--input-tokens is 0; it must be at least 1"),
        (["--rounds", "0"], "--rounds is 0; it must be at least 1"),
        (["--warm-up", "-1"], "--warm-up is -1; it must be at least 0"),
        (["--concurrency", "1,x"], "--concurrency is x"),
        (["--speed-up", "2"], "add --workload trace:FILE"),
        (["--slo", "ttft=200"], "has no unit"),
        (["--price", "inptu=1"], "did you mean input?"),
        (["--extra-body", "{"], "--extra-body is no JSON"),
        (["--extra-body", "[]"], "--extra-body must be an object"),
        (["--json", "/nothing-here/results.json"], "cannot be written"),
        (["--report", "/"], "cannot be written"),
    ],
)
def test_a_wrong_question_is_one_line_and_status_2(words, said, capsys):
    assert main(["bench", *TARGET, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_concurrency_and_rate_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", *TARGET, "--concurrency", "1", "--rate", "1"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.fixture
def trace(tmp_path):
    file = tmp_path / "trace.jsonl"
    row = {"timestamp": 0, "input_length": 5, "output_length": 5}
    file.write_text(json.dumps(row))
    return f"trace:{file}"


@pytest.mark.parametrize(
    ("words", "levels", "why"),
    [
        ([], [("concurrency", 1), ("concurrency", 8), ("concurrency", 32)], "by default"),
        (["--concurrency", "4"], [("concurrency", 4)], "closed loop"),
        (["--rate", "0.5,2"], [("rate", 0.5), ("rate", 2)], "open loop"),
    ],
)
def test_load_is_asked_for_in_one_of_several_ways(words, levels, why):
    assert plan(*words).levels == tuple(Level(*level) for level in levels), why


def test_a_trace_has_arrivals_of_its_own_unless_a_load_is_asked_for(trace):
    assert plan("--workload", trace).levels == (Level("speed-up", 1),)
    assert plan("--workload", trace, "--speed-up", "4").levels == (Level("speed-up", 4),)
    assert plan("--workload", trace, "--concurrency", "2").levels == (Level("concurrency", 2),)
    assert isinstance(plan("--workload", trace).workload, Trace)


def test_chat_goes_to_the_chat_route_and_everything_else_to_completions():
    assert plan("--workload", "chat").endpoint == "chat"
    assert plan().endpoint == "completions"
    assert plan("--endpoint", "chat").endpoint == "chat"


def test_lengths_are_those_of_the_workload_where_none_are_given():
    chat = plan("--workload", "chat", "--input-tokens", "9").workload
    assert isinstance(chat, Chat)
    assert (chat.input_tokens, chat.output_tokens, chat.prefix_tokens) == (9, 64, 64)


def test_a_price_of_ones_own_goes_before_the_price_for_all():
    both = plan("--target", "b=http://h,price-hour=9", "--price", "input=1,output=2").targets
    assert [target.price for target in both] == [Price(input=1, output=2), Price(hour=9)]


def test_ignore_eos_can_be_left_out_for_apis_that_refuse_it():
    assert plan().fields["ignore_eos"]
    assert "ignore_eos" not in plan("--no-ignore-eos").fields


def test_asking_wrongly_loads_neither_vllm_nor_matplotlib():
    code = (
        "import sys; from serve_app.cli import main; "
        f"main(['bench', *{TARGET!r}, '--slo', 'x']); "
        "sys.exit(bool({'vllm', 'matplotlib', 'aiohttp'} & set(sys.modules)))"
    )
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
