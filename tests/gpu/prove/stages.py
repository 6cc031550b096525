"""The stages: each starts one engine, and uses it for all that it is to show."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gpu.prove import models, plan
from tests.gpu.prove.client import Burst, Client
from tests.gpu.prove.documents import load, over_two_nodes, vllm_of
from tests.gpu.prove.processes import Sessions
from tests.gpu.prove.results import Results
from tests.gpu.prove.serving import RAY, Failed, Serving, free_port, serving

RANKS = ("RayWorkerProc", "CpuRayWorkerProc")
BESIDE_S = 25.0  # left at the end of the limit, for killing and for copying logs


STEPS = ("chat and stream", "abort", "measure", "kill", "scale", "calibrate", "load")


@dataclass
class Run:
    """What the stages share."""

    folder: Path
    out: Path
    tokenizer: Path
    hardware: str  # as in `serve-app plan --on`, of one GPU
    cpu: bool
    mode: str
    layers: int
    limit_s: float
    skipped: tuple[str, ...]  # steps
    results: Results
    sessions: Sessions

    def left_s(self) -> float:
        return self.limit_s - self.results.seconds - BESIDE_S

    def step(self, what: str, action: Callable[[], None], *, needs_s: float) -> None:
        """Do it if there is time, and go on whatever comes of it."""
        if what in self.skipped:
            return
        if self.left_s() < needs_s:
            self.results.add(f"{what} LEFT OUT", seconds_left=self.left_s())
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a failure is a result
            self.results.failed(what, error)

    def write(self, name: str, config: dict[str, Any]) -> str:
        folder = self.folder / "models" / name
        models.write(config, folder, tokenizer=self.tokenizer)
        return str(folder)


def deepseek(run: Run) -> None:
    """One engine over two GPUs behind the gateway: answers, numbers, the death of a rank."""
    layers = 3 if run.cpu else run.layers
    name = "dummy-deepseek"
    folder = run.write(name, models.deepseek(layers, small=run.cpu))
    document = load("deepseek-tp2", mode=run.mode, cpu=run.cpu)
    run.results.title(f"DeepSeek-V3, {layers} of 61 layers, TP2, {run.mode}, {run.hardware}")
    with serving(document, run.sessions) as up:
        try:
            client = _started(run, up, name)
            run.step("chat and stream", lambda: _answers(run, client), needs_s=20)
            run.step("abort", lambda: _abort(run, up, client), needs_s=20)
            vllm = vllm_of(document)
            planned = plan.candidate(folder, vllm, f"2x{run.hardware}")
            run.step("measure", lambda: _measure(run, up, client, planned), needs_s=45)
            run.step("kill", lambda: _kill(run, up, client), needs_s=60)
            run.step("calibrate", lambda: _calibrate(run, up, client), needs_s=100)
        finally:
            up.keep(run.out / "deepseek")


def dense(run: Run) -> None:
    """One GPU a replica: numbers, calibration, and from one replica to two and back."""
    name = "dummy-dense-8b"
    folder = run.write(name, models.llama_8b(small=run.cpu))
    document = load("dense-8b", mode=run.mode, cpu=run.cpu)
    run.results.title(f"Llama 8B's shape, TP1, {run.mode}, {run.hardware}")
    with serving(document, run.sessions) as up:
        try:
            client = _started(run, up, name)
            run.step("chat and stream", lambda: _answers(run, client), needs_s=20)
            planned = plan.candidate(folder, vllm_of(document), f"1x{run.hardware}")
            run.step("measure", lambda: _measure(run, up, client, planned), needs_s=45)
            run.step("scale", lambda: _scale(run, up, client), needs_s=90)
            run.step("calibrate", lambda: _calibrate(run, up, client), needs_s=100)
        finally:
            up.keep(run.out / "dense")


def raylets(run: Run) -> None:
    """One engine over two raylets of this host, a GPU each."""
    name = "dummy-dense-8b"
    run.write(name, models.llama_8b(small=run.cpu))
    document = load("dense-8b", mode="eager", cpu=run.cpu)
    over_two_nodes(document, cpu=run.cpu)
    run.results.title(f"One engine over two raylets with a GPU each, {run.hardware}")
    address = f"127.0.0.2:{free_port()}"
    _two_raylets(run, address)
    with serving(document, run.sessions, address=address) as up:
        try:
            client = _started(run, up, name, timeout_s=240)
            run.step("chat and stream", lambda: _answers(run, client), needs_s=15)
            nodes = run.sessions.titled(*RANKS)
            run.results.add("ranks of the engine", processes=len(nodes))
            run.step("load", lambda: _load(run, client), needs_s=20)
        finally:
            up.keep(run.out / "raylets")


STAGES: dict[str, Callable[[Run], None]] = {
    "deepseek": deepseek,
    "dense": dense,
    "raylets": raylets,
}


def _started(run: Run, up: Serving, model: str, *, timeout_s: float = 420) -> Client:
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


def _answers(run: Run, client: Client) -> None:
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


def _abort(run: Run, up: Serving, client: Client) -> None:
    """The client leaves; what the engine runs falls to 0."""
    began = time.monotonic()
    left = client.abort(after_events=5)
    idle_s = up.until(lambda: up.metric("engine_running") == 0, "idle engine", 20)
    run.results.add("abort", streamed_s=left - began, running_0_after_s=idle_s)


def _measure(run: Run, up: Serving, client: Client, planned: Any) -> None:
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


def _kill(run: Run, up: Serving, client: Client) -> None:
    """A rank is killed in the middle of an answer; until another replica answers."""
    ranks = run.sessions.titled(*RANKS)
    pid = max(ranks)
    up.forget()
    answers: list[Burst] = []
    asking = threading.Thread(target=lambda: answers.append(client.burst(1, 32, 8000)))
    asking.start()
    up.until(lambda: up.metric("engine_running") >= 1, "running answer", 20)
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


def _calibrate(run: Run, up: Serving, client: Client) -> None:
    """`serve-app bench --calibrate`, and what its rates are off by."""
    file = run.out / f"calibration-{client.model}.json"
    vllm = {"n": 16, "in": 128, "out": 16, "requests": 24} if run.cpu else None
    sizes = vllm or {"n": 64, "in": 1024, "out": 64, "requests": 96}
    command = [
        *("bench", "--target", f"{client.model}={up.url}", "--calibrate", str(file)),
        *("--max-num-seqs", str(sizes["n"]), "--max-num-batched-tokens", "8192"),
        *("--input-tokens", str(sizes["in"]), "--output-tokens", str(sizes["out"])),
        *("--requests", str(sizes["requests"]), "--rounds", "2"),
        *("--kv-tokens", str(int(up.said().get("kv_tokens", 100_000)))),
    ]
    for words in (command, ["simulate", "--check", str(file)]):
        said = _serve_app(run, words, timeout_s=min(200, run.left_s()))
        run.results.quote(said.splitlines()[-22:])


def _serve_app(run: Run, words: list[str], *, timeout_s: float) -> str:
    """`serve-app`, where there is no script of that name."""
    code = "import sys; from serve_app.cli import main; sys.exit(main())"
    log = run.out / f"serve-app-{words[0]}.log"
    process = run.sessions.start([sys.executable, "-c", code, *words], log)
    try:
        status = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        status = -1
    said = log.read_text(errors="replace")
    assert status == 0, f"serve-app {words[0]}: status {status}: {said[-300:]}"
    return said


def _scale(run: Run, up: Serving, client: Client) -> None:
    """More streams than one replica's slots, until there are two; then few, until there is one."""
    crowd, output = (40, 64) if run.cpu else (320, 512)
    for count, replicas, patience_s in ((crowd, 2, run.left_s() - 40), (2, 1, 60)):
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(client.crowd, count, 32, output, stop=stop)
            try:
                began = time.monotonic()
                wait = functools.partial(_has, up, client.model, replicas)
                after_s = up.until(wait, f"{replicas} replicas", patience_s)
                before = up.metric("gateway_tokens_total")
                time.sleep(6)
                per_s = (up.metric("gateway_tokens_total") - before) / 6
            finally:
                stop.set()
        run.results.add(
            f"{count} clients: {replicas} replicas",
            after_s=after_s,
            seconds=time.monotonic() - began,
        )
        _say_answers(run, asking.result(), tokens_per_s_then=per_s)
    for line in [line for line in up.log.splitlines() if "autoscaling:" in line][-4:]:
        run.results.add("the policy", said=line.split("autoscaling:")[1].strip()[:150])


def _has(up: Serving, model: str, replicas: int) -> bool:
    return bool(up.ready(model)["replicas"] == replicas)


def _say_answers(run: Run, answers: Burst, **more: float) -> None:
    run.results.add(
        "their answers",
        requests=len(answers.streams),
        failed=len(answers.failed),
        errors="; ".join(sorted(set(answers.failed)))[:200],
        **more,
    )


def _load(run: Run, client: Client) -> None:
    burst = client.burst(4 if run.cpu else 64, 32, 16 if run.cpu else 128).require_whole()
    run.results.add("load", streams=len(burst.streams), tokens_per_s=burst.tokens_per_s)


def _two_raylets(run: Run, address: str) -> None:
    """Each sees one GPU only, so that no rank can take that of the other."""
    folder = run.folder / "ray"
    port = address.rpartition(":")[2]
    cpus = 4 if run.cpu else 12
    both = (
        *(*RAY, "start", f"--num-cpus={cpus}", "--dashboard-agent-listen-port=0"),
        "--object-store-memory=200000000",
    )
    head = (
        *("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"),
        f"--ray-client-server-port={free_port()}",
    )
    other = (f"--address={address}", "--include-log-monitor=false")
    for gpu, (ip, options) in enumerate((("127.0.0.2", head), ("127.0.0.3", other))):
        gpus = () if run.cpu else ("--num-gpus=1",)
        log = run.folder / f"raylet-{gpu}.log"
        command = [*both, f"--node-ip-address={ip}", *gpus, *options]
        process = run.sessions.start(command, log, CUDA_VISIBLE_DEVICES=str(gpu))
        if process.wait(timeout=90):
            raise Failed(f"ray start on {ip}: {log.read_text(errors='replace')[-400:]}")
