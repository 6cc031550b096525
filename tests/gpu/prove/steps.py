"""The steps of stages: what one engine that is up is to show."""

import os
import signal
import threading
import time
from typing import Any

from tests.gpu.prove import models, plan
from tests.gpu.prove.client import Burst, Client
from tests.gpu.prove.run import Run
from tests.gpu.prove.serving import Failed, Serving

RANKS = ("RayWorkerProc", "CpuRayWorkerProc")


def started(run: Run, up: Serving, model: str, *, timeout_s: float = 420) -> Client:
    """Wait for the model; its first answer, after which nothing is compiled for a chat."""
    gateway_s = up.until(lambda: up.get("/health")[0] == 200, "gateway", min(150, run.left_s()))
    patience_s = min(timeout_s, run.left_s())
    ready_s = up.until(lambda: up.ready(model)["ready"], "ready engine", patience_s)
    client = Client(up.url, model)
    began = time.monotonic()
    status, answer = client.chat(timeout_s=max(30, min(200, run.left_s())))
    if status != 200:
        raise Failed(f"first chat: {status} {str(answer)[:200]}")
    run.results.add(
        "start",
        gateway_answers_s=gateway_s,
        engine_ready_s=gateway_s + ready_s,
        first_chat_s=time.monotonic() - began,
        **up.said(),
    )
    run.results.add("phases", took=up.phases())
    run.results.add("kernels", used="; ".join(up.choices()))
    return client


def answers(run: Run, client: Client) -> None:
    began = time.monotonic()
    status, answer = client.chat(max_tokens=32)
    run.results.add(
        "chat",
        status=status,
        seconds=time.monotonic() - began,
        tokens=answer["usage"]["completion_tokens"],
    )
    stream = client.chat_stream(max_tokens=64)
    run.results.add(
        "streamed chat",
        is_whole=stream.is_whole,
        tokens=stream.tokens,
        first_ms=1e3 * stream.first_s,
        events=stream.events,
        seconds=stream.last_s,
    )
    assert stream.is_whole, stream.error


def abort(run: Run, up: Serving, client: Client) -> None:
    """The client leaves; what the engine runs falls to 0."""
    began = time.monotonic()
    left = client.abort(after_events=5)
    idle_s = up.until(lambda: up.metric("engine_running") == 0, "idle engine", 20)
    run.results.add("abort", streamed_s=left - began, running_0_after_s=idle_s)


def measure(run: Run, up: Serving, client: Client, planned: Any) -> None:
    """Plan against measured: memory, decode steps, prefill."""
    said = up.said()
    run.results.heading(f"{run.mode}, {planned.layout}, `serve-app plan`'s formulas")
    plan.compare_memory(planned, said, run.results)
    batches = [(1, 32), (4, 32)] if run.cpu else [(1, 32), (8, 32), (32, 32), (64, 32), (128, 32)]
    batches += [] if run.cpu else [(16, 4096)]
    output = 24 if run.cpu else 161
    measured = []
    for batch, prompt in batches:
        client.burst(batch, prompt, 8).require_whole()  # what compiles, compiles now
        rounds = [client.burst(batch, prompt, output).require_whole() for _ in range(2)]
        step_s = min(burst.step_s for burst in rounds)
        measured.append(plan.Decode(batch, prompt + output / 2, step_s))
    plan.compare_decode(planned, measured, run.results)
    count, prompt = (2, 256) if run.cpu else (32, 4096)
    client.burst(count, prompt, 1).require_whole()
    fastest = min(client.burst(count, prompt, 1).require_whole().seconds for _ in range(2))
    plan.compare_prefill(planned, prompt, count * prompt / fastest, run.results)
    if planned.shape.experts:
        vllm = {"tensor_parallel_size": 8}
        whole = plan.on_eight(planned, plan.candidate(models.V3, vllm, f"8x{run.hardware}"))
        plan.extrapolate(planned, whole, measured, said, run.results)


def kill(run: Run, up: Serving, client: Client) -> None:
    """A rank is killed in the middle of an answer; until another replica answers."""
    ranks = run.sessions.titled(*RANKS)
    pid = max(ranks)
    up.forget()
    answers: list[Burst] = []
    asking = threading.Thread(target=lambda: answers.append(client.burst(1, 32, 8000)))
    asking.start()
    up.until(lambda: up.metric("engine_running") >= 1, "running answer", 20)
    time.sleep(1)  # some of its 8000 tokens
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    gone_s = up.until(lambda: not up.ready(client.model)["ready"], "unready model", 90)
    run.results.add("kill a rank", ranks=len(ranks), unready_after_s=gone_s)
    asking.join(timeout=60)
    stream = answers[0].streams[0] if answers else None
    if stream:
        run.results.add(
            "the answer that it ran", error=stream.error, tokens=stream.tokens, ended=stream.last_s
        )
    up.until(lambda: up.ready(client.model)["ready"], "another replica", max(10, run.left_s()))
    again_s = time.monotonic() - began
    status, _ = client.chat(timeout_s=120)
    run.results.add("replaced", ready_after_s=again_s, chat=status, **up.said())
    run.results.add("phases", took=up.phases())
    new = set(run.sessions.titled(*RANKS)) - set(ranks)
    run.results.add("ranks of the new replica", processes=len(new))


def load(run: Run, client: Client) -> None:
    burst = client.burst(4 if run.cpu else 64, 32, 16 if run.cpu else 128).require_whole()
    run.results.add("load", streams=len(burst.streams), tokens_per_s=burst.tokens_per_s)
