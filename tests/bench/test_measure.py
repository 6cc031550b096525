"""The whole of `serve-app bench`, with vLLM's client, against endpoints of known behaviour."""

import json
import os
import random
import signal
import socket
from dataclasses import replace

import pytest

from serve_app.bench.answer import Answer
from serve_app.bench.doubts import warnings
from serve_app.bench.errors import BenchError
from serve_app.bench.level import Level
from serve_app.bench.metrics import PERCENTILES, summary
from serve_app.bench.plan import Plan
from serve_app.bench.record import as_json
from serve_app.bench.slo import Slo
from serve_app.bench.table import markdown
from serve_app.bench.target import Target
from serve_app.bench.words import Words
from serve_app.bench.workload import Chat, Random
from serve_app.cli import main
from tests.bench.endpoint import Endpoint, serving
from tests.bench.made import measurement

pytestmark = pytest.mark.vllm

TWO = Level("concurrency", 2)
WORK = Random(Words(), input_tokens=12, output_tokens=6)


@pytest.fixture(scope="module")
def measure():
    from serve_app.bench.run import measure

    return measure


def plan(*endpoints, **changes):
    targets = tuple(
        Target.parse(f"{name}={endpoint.url}")
        for name, endpoint in zip("abc", endpoints, strict=False)
    )
    return replace(Plan(targets, WORK, (TWO,), rounds=2, requests=6), **changes)


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_measured_times_are_those_of_the_target(measure, endpoint):
    with serving(Endpoint(ttft_s=0.05, itl_s=0.02)) as quick:
        results = measure(plan(quick, endpoint=endpoint))
    numbers = results.summary(results.plan.targets[0], TWO)
    assert 0.05 <= numbers["ttft_p50_s"] < 0.08
    assert 0.018 <= numbers["itl_p50_s"] < 0.03
    assert 0.05 + 5 * 0.02 <= numbers["e2e_p50_s"] < 0.23
    assert numbers["tpot_p50_s"] == pytest.approx(numbers["itl_p50_s"], abs=0.005)
    assert (numbers["input_tokens"], numbers["output_tokens"]) == (12, 6)
    assert warnings(results) == []


def test_a_target_that_is_twice_as_slow_has_a_ratio_of_two(measure):
    with serving(Endpoint(ttft_s=0.05)) as quick, serving(Endpoint(ttft_s=0.1)) as slow:
        results = measure(plan(quick, slow))
    spread = results.ratios(results.plan.targets[1], TWO)["ttft_p50_s"]
    assert 1.6 < spread.low <= spread.median <= spread.high < 2.4
    assert [m.target for m in results.measurements] == ["a", "b", "b", "a"]


def test_requests_come_at_the_rate_that_was_asked_for(measure):
    with serving(Endpoint()) as endpoint:
        results = measure(plan(endpoint, levels=(Level("rate", 20),), requests=10, rounds=1))
    [only] = results.measurements
    assert 0.2 < only.duration_s < 0.8  # the last of ten at 20/s comes before 0.5 s are over


def test_targets_are_sent_the_same_but_for_the_first_words_and_nothing_twice(measure):
    with serving(Endpoint()) as first, serving(Endpoint()) as second:
        measure(plan(first, second))
    sent, also_sent = [
        [tuple(body["prompt"].split()) for body in endpoint.bodies] for endpoint in (first, second)
    ]
    assert sorted(words[4:] for words in sent) == sorted(words[4:] for words in also_sent)
    marked = sent[1:] + also_sent[1:]  # behind the probes
    assert len(set(marked)) == len(marked)


def test_a_chat_is_sent_as_messages(measure):
    work = Chat(Words(), prefix_tokens=5, input_tokens=5, output_tokens=5, turns=2)
    with serving(Endpoint()) as endpoint:
        measure(plan(endpoint, workload=work, endpoint="chat", rounds=1))
    roles = [message["role"] for message in endpoint.bodies[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert endpoint.bodies[-1]["max_completion_tokens"] == 5


def test_every_request_is_greedy_and_as_long_as_asked(measure):
    with serving(Endpoint()) as endpoint:
        measure(plan(endpoint, rounds=1, extra_body={"top_k": 3}))
    assert all(
        (body["temperature"], body["ignore_eos"], body["top_k"]) == (0, True, 3)
        for body in endpoint.bodies
    )


@pytest.mark.parametrize(
    ("faulty", "kind", "why"),
    [
        (Endpoint(refuse_every=5), "429 queue_full", "a status, with OpenAI's code"),
        (Endpoint(cut_every=5), "cut short", "a stream that looks complete to vLLM's client"),
    ],
)
def test_errors_are_counted_by_kind_and_the_rest_is_measured(measure, faulty, kind, why):
    with serving(faulty):
        results = measure(plan(faulty))
    answers = [answer for m in results.measurements for answer in m.answers]
    assert {answer.error_kind for answer in answers} == {"", kind}, why
    assert results.has_errors
    assert results.summary(results.plan.targets[0], TWO)["requests_per_s"] > 0


def test_a_target_that_does_not_count_tokens_is_measured_in_chunks_and_that_is_said(measure):
    with serving(Endpoint(sends_usage=False, tokens_per_chunk=2)) as endpoint:
        results = measure(plan(endpoint))
    assert results.summary(results.plan.targets[0], TWO)["output_tokens"] == 3
    assert any("a sends no usage" in warning for warning in warnings(results))


def test_a_key_goes_to_its_target_alone_and_into_no_report(measure, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    monkeypatch.setenv("BENCH_TEST_KEY", "sk-secret")
    with serving(Endpoint()) as plain, serving(Endpoint(key="sk-secret")) as paid:
        asked = plan(plain, paid, rounds=1)
        named = replace(asked.targets[1], api_key_env="BENCH_TEST_KEY")
        results = measure(replace(asked, targets=(asked.targets[0], named)))
    assert set(plain.keys) == {None}
    assert set(paid.keys) == {"Bearer sk-secret"}
    assert "sk-" not in as_json(results) + markdown(results)
    assert os.environ["OPENAI_API_KEY"] == "sk-of-another-service"


def test_every_target_may_serve_under_another_name(measure):
    with serving(Endpoint()) as first, serving(Endpoint(models=("alias", "tiny"))) as second:
        asked = plan(first, second, rounds=1)
        named = replace(asked.targets[1], model="alias")
        results = measure(replace(asked, targets=(asked.targets[0], named)))
    assert [target.model for target in results.plan.targets] == ["tiny", "alias"]
    assert {body["model"] for body in second.bodies} == {"alias"}


@pytest.mark.parametrize(
    ("endpoint", "changes", "said", "why"),
    [
        (Endpoint(key="k"), {}, "401 invalid_api_key", "no key"),
        (Endpoint(models=()), {}, "lists no models; name one with --model", "nothing to choose"),
        (Endpoint(), {"model": "tny"}, "has no model tny; did you mean tiny?", "a typo"),
        (Endpoint(refuse_every=1), {}, "429 queue_full", "the very first request is refused"),
        (Endpoint(card={"max_model_len": 17}), {}, "requests of 18 tokens do not fit", "too long"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is(measure, endpoint, changes, said, why):
    with serving(endpoint), pytest.raises(BenchError) as refused:
        measure(plan(endpoint, **changes))
    assert said in str(refused.value), why
    assert "\n" not in str(refused.value)
    assert len(endpoint.bodies) <= 1


def test_a_target_that_is_not_up_is_one_line_and_status_2(capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert main(["bench", "--target", f"a={url}"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"serve-app: a at {url}/v1 does not answer")
    assert said.endswith("Is it up, and the port right?")


def test_json_on_stdout_is_alone_there(capsys):
    with serving(Endpoint()) as endpoint:
        words = ["--target", f"a={endpoint.url}", "--concurrency", "1", "--requests", "2"]
        assert main(["bench", *words, "--rounds", "1", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["levels"][0]["targets"]["a"]["summary"]["requests"] == 2
    assert "| TTFT p50 ms" in err
    assert "round 1/1" in err


def test_a_run_with_errors_ends_with_1_and_its_files_are_there(tmp_path, capsys):
    files = tmp_path / "results.json", tmp_path / "report.html"
    with serving(Endpoint(refuse_every=3)) as endpoint:
        words = ["--target", f"a={endpoint.url}", "--concurrency", "1", "--requests", "4"]
        reports = ["--json", str(files[0]), "--report", str(files[1])]
        assert main(["bench", *words, "--rounds", "1", *reports]) == 1
    assert "429 queue_full" in capsys.readouterr().out
    assert json.loads(files[0].read_text())["levels"]
    assert files[1].read_text().startswith("<!doctype html>")


def test_ctrl_c_leaves_the_rounds_that_are_complete(measure):
    with serving(Endpoint()) as endpoint:
        endpoint.at_request[1 + 8 + 4] = lambda: os.kill(os.getpid(), signal.SIGINT)
        results = measure(plan(endpoint, rounds=5))  # a probe, then 2 + 6 in each round
    assert results.rounds == 1
    assert len(results.measurements) == 1


def test_ctrl_c_before_a_round_is_complete_ends_the_command_with_130(capsys):
    with serving(Endpoint()) as endpoint:
        endpoint.at_request[3] = lambda: os.kill(os.getpid(), signal.SIGINT)
        assert main(["bench", "--target", f"a={endpoint.url}"]) == 130
    assert "stopped before a round was complete" in capsys.readouterr().err


def test_our_numbers_are_those_of_vllm_bench_serve():
    from vllm.benchmarks.lib.endpoint_request_func import RequestFuncOutput
    from vllm.benchmarks.serve import calculate_metrics

    dice = random.Random(1)
    answers = [_random_answer(dice) for _ in range(50)]
    outputs = [
        RequestFuncOutput(
            success=True,
            latency=answer.e2e_s,
            ttft=answer.ttft_s,
            itl=list(answer.itls_s),
            output_tokens=answer.output_tokens,
            prompt_len=answer.input_tokens,
        )
        for answer in answers
    ]
    goals = {"ttft": 60.0, "tpot": 25.0}
    theirs, _ = calculate_metrics([], outputs, 2.0, None, list(PERCENTILES), goals)
    ours = summary([measurement(answers, duration_s=2.0)], Slo(ttft_s=0.06, tpot_s=0.025))
    assert ours["requests_per_s"] == theirs.request_throughput
    assert ours["output_tokens_per_s"] == theirs.output_throughput
    assert 0 < ours["goodput_per_s"] == theirs.request_goodput < theirs.request_throughput
    for mine, name in {"ttft": "ttft", "itl": "itl", "tpot": "tpot", "e2e": "e2el"}.items():
        for percentile, value_ms in getattr(theirs, f"percentiles_{name}_ms"):
            assert ours[f"{mine}_p{percentile}_s"] * 1e3 == pytest.approx(value_ms), name


def _random_answer(dice):
    itls_s = tuple(dice.uniform(0.01, 0.04) for _ in range(dice.randint(1, 40)))
    ttft_s = dice.uniform(0.01, 0.1)
    tokens = len(itls_s) + 1
    return Answer(ttft_s, itls_s, ttft_s + sum(itls_s), 10, tokens, tokens)
