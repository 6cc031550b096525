"""A file of Serve's on two nodes, with real vLLM and a tiny DeepSeek, for several test modules."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.ray.serve_run import BIN, ServeRun
from tests.ray.two_nodes import Process, TwoNodes, free_port, two_nodes

RANK = "ray::CpuRayWorkerProc"
PROMPTS = {
    "one character": "x",
    "a sentence": "The capital of France is a city on a river.",
    "more bytes than characters": "Was heißt 漢字 auf Deutsch?",
    "several KV blocks": "one two three four five six seven eight nine ten " * 5,
}


@dataclass(frozen=True)
class Deployment:
    """`serve run` of a file, ready, on two nodes."""

    cluster: TwoNodes
    nodes: list[Process]
    serve: ServeRun

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(self.serve.url + path, json=body, timeout=120)

    def ranks(self) -> list[list[int]]:
        """For each node, the processes that are ranks."""
        titles = [self.cluster.processes(node) for node in self.nodes]
        return [[pid for pid, title in node.items() if RANK in title] for node in titles]

    def chat(self, model: str, prompt: str) -> dict[str, Any]:
        """A greedy answer's choice, with token ids and the two best tokens of each step."""
        answer = self.post(
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

    def stream(self, model: str, prompt: str, *, max_tokens: int) -> Iterator[str]:
        """The events of a greedy streamed answer."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "return_token_ids": True,
        }
        url = f"{self.serve.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, timeout=120) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield line.removeprefix("data: ")

    def lose_rank(self, model: str) -> None:
        """Kill the only rank on the second node while `model` answers: the answer says so, and
        the replica goes. The others wait for it, as GPUs' ranks do, which do not see it die."""
        beside, [rank] = self.ranks()
        self.cluster.note_shared_memory()
        events = self.stream(model, PROMPTS["one character"], max_tokens=480)
        next(events)
        for other in beside:
            os.kill(other, signal.SIGSTOP)
        os.kill(rank, signal.SIGKILL)
        began = time.monotonic()
        *_, last = events
        assert json.loads(last)["error"]["code"] == "engine_dead"
        print(f"\n{time.monotonic() - began:.1f} s from a dead rank to the end of its answer")
        self.serve.until(lambda: not self.serve.replicas(model), "end of the replica", 30)


@contextmanager
def deployed(file: Path) -> Iterator[Deployment]:
    """Two nodes, the checkpoint that `file` names, and its `serve run`."""
    started = time.monotonic()
    with two_nodes() as cluster:
        # The first logprobs would have C++ compiled, for 15 s.
        cluster.environment["TORCHDYNAMO_DISABLE"] = "1"
        checkpoint = cluster.folder / "tiny-deepseek"
        writing = cluster.start(sys.executable, "-m", "tests.ray.tiny_deepseek", checkpoint)
        nodes = cluster.start_nodes(cpus=3)  # so that no placement of the others is in the way
        cluster.ended(writing)
        up_s = time.monotonic() - started
        serve = _serve_run(cluster, file)
        ready_s = serve.until(lambda: are_ready(serve), "engines", timeout_s=400)
        loads = re.findall(r"(\S+) \S+ -- engine ready after ([\d.]+ s)", serve.log)
        print(f"\nnodes and checkpoint {up_s:.1f} s, `serve run` to ready {ready_s:.1f} s: {loads}")
        yield Deployment(cluster, nodes, serve)
        ending = time.monotonic()
    print(f"end {time.monotonic() - ending:.1f} s, all {time.monotonic() - started:.1f} s")


def _serve_run(cluster: TwoNodes, file: Path) -> ServeRun:
    document = yaml.safe_load(file.read_text())
    port = document["http_options"]["port"] = free_port()
    copy = cluster.folder / file.name
    copy.write_text(yaml.safe_dump(document, sort_keys=False))
    process = cluster.start(BIN / "serve", "run", copy)
    return ServeRun(process, f"http://127.0.0.1:{port}", cluster.log)


def are_ready(serve: ServeRun) -> bool:
    status, text = serve.get("/ready")
    return status == 200 and all(model["ready"] for model in json.loads(text)["models"].values())


def logprobs(choice: dict[str, Any]) -> list[float]:
    """Of the best and the second-best token, in turn."""
    steps = [step["top_logprobs"] for step in choice["logprobs"]["content"]]
    return [token["logprob"] for step in steps for token in step]
