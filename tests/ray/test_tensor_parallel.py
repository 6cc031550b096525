"""One engine over two nodes: where its ranks are, what it says, how it dies. Real vLLM."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ray.deployed import PROMPTS, Deployment, deployed, logprobs
from tests.ray.serve_run import BIN
from tests.ray.two_nodes import ADDRESSES

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.timeout(600)]

TWO, ONE = "two-ranks", "one-rank"


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with deployed(Path(__file__).with_name("tensor_parallel.yaml")) as running:
        yield running


def test_each_node_has_one_bundle_and_one_rank(deployment: Deployment) -> None:
    spread = [group for group in deployment.cluster.placement_groups() if len(group) > 1]
    assert [sorted(group) for group in spread] == [list(ADDRESSES)]
    assert [len(ranks) for ranks in deployment.ranks()] == [1, 1]


def test_the_cluster_wants_the_token_that_its_head_made(deployment: Deployment) -> None:
    token = deployment.cluster.token
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text() not in deployment.serve.log
    asking = [BIN / "ray", "status", "--address", deployment.cluster.address]
    stranger = deployment.cluster.environment | {"RAY_AUTH_TOKEN_PATH": __file__}
    refused = subprocess.run(asking, env=stranger, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "InvalidAuthToken" in refused.stderr


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_two_ranks_say_token_for_token_what_one_says(deployment: Deployment, prompt: str) -> None:
    two, one = (deployment.chat(model, prompt) for model in (TWO, ONE))
    assert two["token_ids"] == one["token_ids"]
    assert two["message"] == one["message"]
    # The same model, and no luck: what summing in two parts changes could not swap two tokens.
    noise = max(abs(a - b) for a, b in zip(logprobs(two), logprobs(one), strict=True))
    best, second = logprobs(one)[::2], logprobs(one)[1::2]
    assert noise < 1e-3
    assert min(a - b for a, b in zip(best, second, strict=True)) > 10 * noise


def test_a_stream_over_two_nodes_is_the_whole_answer_of_one_rank(deployment: Deployment) -> None:
    prompt = PROMPTS["a sentence"]
    one = deployment.chat(ONE, prompt)
    *events, done = deployment.stream(TWO, prompt, max_tokens=48)
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    assert done == "[DONE]"
    assert "".join(c["delta"].get("content") or "" for c in choices) == one["message"]["content"]
    assert [i for c in choices for i in c.get("token_ids") or ()] == one["token_ids"]


def test_prompts_in_one_batch_are_answered_alike(deployment: Deployment) -> None:
    asked = {"prompt": list(PROMPTS.values()), "max_tokens": 24, "temperature": 0}
    two, one = (
        deployment.post("/v1/completions", model=model, return_token_ids=True, **asked).json()
        for model in (TWO, ONE)
    )
    answers = [choice["token_ids"] for choice in two["choices"]]
    assert answers == [choice["token_ids"] for choice in one["choices"]]
    assert len(set(map(tuple, answers))) == len(PROMPTS), "answers do not depend on the prompt"


def test_a_rank_that_dies_takes_its_engine_out_of_service_and_no_other(
    deployment: Deployment,
) -> None:
    deployment.lose_rank(TWO)
    asked = {"model": TWO, "prompt": "x", "max_tokens": 1}
    with pytest.raises(httpx.ReadTimeout):  # it is held: another replica is on its way
        httpx.post(f"{deployment.serve.url}/v1/completions", json=asked, timeout=2)
    assert deployment.chat(ONE, "x")["token_ids"]
