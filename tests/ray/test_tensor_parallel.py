"""One engine over two nodes: where its ranks are, what it says, how it dies. Real vLLM."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.ray.serve_run import BIN, ServeRun
from tests.ray.two_nodes import ADDRESSES, Process, TwoNodes, free_port, two_nodes

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.timeout(600)]

FILE = Path(__file__).with_name("tensor_parallel.yaml")
TWO, ONE = "two-ranks", "one-rank"
RANK = "ray::CpuRayWorkerProc"
PROMPTS = {
    "one character": "x",
    "a sentence": "The capital of France is a city on a river.",
    "more bytes than characters": "Was heißt 漢字 auf Deutsch?",
    "several KV blocks": "one two three four five six seven eight nine ten " * 5,
}


@dataclass(frozen=True)
class Deployment:
    """`serve run` of the file, ready, on two nodes."""

    cluster: TwoNodes
    nodes: list[Process]
    serve: ServeRun

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(self.serve.url + path, json=body, timeout=120)

    def ranks(self) -> list[list[int]]:
        """For each node, the processes that are ranks."""
        titles = [self.cluster.processes(node) for node in self.nodes]
        return [[pid for pid, title in node.items() if RANK in title] for node in titles]


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    started = time.monotonic()
    with two_nodes() as cluster:
        # The first logprobs would have C++ compiled, for 15 s.
        cluster.environment["TORCHDYNAMO_DISABLE"] = "1"
        checkpoint = cluster.folder / "tiny-deepseek"
        writing = cluster.start(sys.executable, "-m", "tests.ray.tiny_deepseek", checkpoint)
        nodes = cluster.start_nodes(cpus=3)  # so that no placement of the others is in the way
        cluster.ended(writing)
        up_s = time.monotonic() - started
        serve = serve_run(cluster)
        ready_s = serve.until(lambda: are_ready(serve), "engines", timeout_s=400)
        loads = re.findall(r"(\S+) \S+ -- engine ready after ([\d.]+ s)", serve.log)
        print(f"\nnodes and checkpoint {up_s:.1f} s, `serve run` to ready {ready_s:.1f} s: {loads}")
        yield Deployment(cluster, nodes, serve)
        ending = time.monotonic()
    print(f"end {time.monotonic() - ending:.1f} s, all {time.monotonic() - started:.1f} s")


def serve_run(cluster: TwoNodes) -> ServeRun:
    document = yaml.safe_load(FILE.read_text())
    port = document["http_options"]["port"] = free_port()
    file = cluster.folder / FILE.name
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    process = cluster.start(BIN / "serve", "run", file)
    return ServeRun(process, f"http://127.0.0.1:{port}", cluster.log)


def are_ready(serve: ServeRun) -> bool:
    status, text = serve.get("/ready")
    return status == 200 and all(model["ready"] for model in json.loads(text)["models"].values())


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
    two, one = (chat(deployment, model, prompt) for model in (TWO, ONE))
    assert two["token_ids"] == one["token_ids"]
    assert two["message"] == one["message"]
    # The same model, and no luck: what summing in two parts changes could not swap two tokens.
    noise = max(abs(a - b) for a, b in zip(logprobs(two), logprobs(one), strict=True))
    best, second = logprobs(one)[::2], logprobs(one)[1::2]
    assert noise < 1e-3
    assert min(a - b for a, b in zip(best, second, strict=True)) > 10 * noise


def test_a_stream_over_two_nodes_is_the_whole_answer_of_one_rank(deployment: Deployment) -> None:
    prompt = PROMPTS["a sentence"]
    one = chat(deployment, ONE, prompt)
    *events, done = stream(deployment, prompt, max_tokens=48)
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
    [rank] = deployment.ranks()[1]
    deployment.cluster.note_shared_memory()
    events = stream(deployment, PROMPTS["one character"], max_tokens=480)
    next(events)
    os.kill(rank, signal.SIGKILL)
    *_, last = events
    assert json.loads(last)["error"]["code"] == "engine_dead"

    deployment.serve.until(lambda: not deployment.serve.replicas(TWO), "end of the replica", 30)
    asked = {"model": TWO, "prompt": "x", "max_tokens": 1}
    with pytest.raises(httpx.ReadTimeout):  # it is held: another replica is on its way
        httpx.post(f"{deployment.serve.url}/v1/completions", json=asked, timeout=2)
    assert chat(deployment, ONE, "x")["token_ids"]


def chat(deployment: Deployment, model: str, prompt: str) -> dict[str, Any]:
    """A greedy answer's choice, with token ids and the two best tokens of each step."""
    answer = deployment.post(
        "/v1/chat/completions",
        model=model,
        messages=[{"role": "user", "content": prompt}],
        max_tokens=48,
        temperature=0,
        logprobs=True,
        top_logprobs=2,
        return_token_ids=True,
    )
    assert answer.status_code == 200, answer.text
    [choice] = answer.json()["choices"]
    return choice


def logprobs(choice: dict[str, Any]) -> list[float]:
    """Of the best and the second-best token, in turn."""
    steps = [step["top_logprobs"] for step in choice["logprobs"]["content"]]
    return [token["logprob"] for step in steps for token in step]


def stream(deployment: Deployment, prompt: str, *, max_tokens: int) -> Iterator[str]:
    """The events of a greedy streamed answer of two ranks."""
    body = {
        "model": TWO,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "return_token_ids": True,
    }
    url = f"{deployment.serve.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=120) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")
