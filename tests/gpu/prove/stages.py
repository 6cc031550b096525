"""The stages: each starts one engine, and uses it for all that it is to show."""

from collections.abc import Callable

from tests.gpu.prove import models, plan
from tests.gpu.prove.calibrate import calibrate
from tests.gpu.prove.documents import (
    alone,
    by_ray,
    data_ranks,
    on_one_gpu,
    over_two_nodes,
    vllm_of,
)
from tests.gpu.prove.documents import load as load_document
from tests.gpu.prove.run import Run
from tests.gpu.prove.scale import scale
from tests.gpu.prove.serving import RAY, Failed, free_port, serving
from tests.gpu.prove.steps import RANKS, abort, answers, kill, load, measure, started


def deepseek(run: Run) -> None:
    """One engine over two GPUs behind the gateway: answers, numbers, the death of a rank."""
    layers = 3 if run.cpu else run.layers
    name = "dummy-deepseek"
    folder = run.write(name, models.deepseek(layers, small=run.cpu))
    document = load_document("deepseek-tp2", mode=run.mode, cpu=run.cpu)
    run.results.title(f"DeepSeek-V3, {layers} of 61 layers, TP2, {run.mode}, {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "deepseek") as up:
        client = started(run, up, name)
        run.step("chat and stream", lambda: answers(run, client), needs_s=20)
        run.step("abort", lambda: abort(run, up, client), needs_s=20)
        vllm = vllm_of(document)
        planned = plan.candidate(folder, vllm, f"2x{run.hardware}")
        run.step("measure", lambda: measure(run, up, client, planned), needs_s=45)
        run.step("kill", lambda: kill(run, up, client), needs_s=60)
        run.step("calibrate", lambda: calibrate(run, up, client), needs_s=200)


def layers(run: Run) -> None:
    """As many of DeepSeek-V3's layers as one GPU holds, behind the gateway: their rates."""
    name = "dummy-deepseek"
    run.write(name, models.deepseek(run.layers))
    document = load_document("deepseek-tp2", mode=run.mode)
    on_one_gpu(document)
    run.results.title(f"DeepSeek-V3, {run.layers} of 61 layers, {run.mode}, one {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "layers") as up:
        client = started(run, up, name)
        run.step("calibrate", lambda: calibrate(run, up, client), needs_s=200)


def dense(run: Run) -> None:
    """One GPU a replica: from one replica to two and back, and numbers."""
    name = "dummy-dense-8b"
    folder = run.write(name, models.llama_8b(small=run.cpu))
    document = load_document("dense-8b", mode=run.mode, cpu=run.cpu)
    run.results.title(f"Llama 8B's shape, TP1, {run.mode}, {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "dense") as up:
        client = started(run, up, name)
        run.step("chat and stream", lambda: answers(run, client), needs_s=20)
        # First, since the bursts of what is measured order a second replica too.
        run.step("scale", lambda: scale(run, up, client), needs_s=90)
        planned = plan.candidate(folder, vllm_of(document), f"1x{run.hardware}")
        run.step("measure", lambda: measure(run, up, client, planned), needs_s=45)


def calibration(run: Run) -> None:
    """The same model and GPU, and never a second replica."""
    name = "dummy-dense-8b"
    run.write(name, models.llama_8b(small=run.cpu))
    document = load_document("dense-8b", mode=run.mode, cpu=run.cpu)
    alone(document)
    run.results.title(f"Llama 8B's shape, its rates, {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "calibration") as up:
        client = started(run, up, name)
        run.step("calibrate", lambda: calibrate(run, up, client), needs_s=200)


def ranks(run: Run) -> None:
    """One engine of two data ranks, a GPU each: answers, and the death of a worker."""
    layers = 3 if run.cpu else run.layers
    name = "dummy-deepseek"
    run.write(name, models.deepseek(layers, small=run.cpu))
    document = load_document("deepseek-tp2", mode=run.mode, cpu=run.cpu)
    data_ranks(document)
    run.results.title(f"DeepSeek-V3, {layers} of 61 layers, DP2, {run.mode}, {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "ranks") as up:
        client = started(run, up, name)
        run.step("chat and stream", lambda: answers(run, client), needs_s=20)
        run.step("abort", lambda: abort(run, up, client), needs_s=20)
        run.step("load", lambda: load(run, client), needs_s=20)
        run.step("kill", lambda: kill(run, up, client), needs_s=60)


def rank(run: Run) -> None:
    """One GPU, and the death of the worker that has it."""
    name = "dummy-dense-8b"
    run.write(name, models.llama_8b(small=run.cpu))
    document = load_document("dense-8b", mode=run.mode, cpu=run.cpu)
    by_ray(document, cpu=run.cpu)
    run.results.title(f"A worker of Ray's that dies, {run.mode}, {run.hardware}")
    with serving(document, run.sessions, keep=run.out / "rank") as up:
        client = started(run, up, name)
        run.step("chat and stream", lambda: answers(run, client), needs_s=20)
        run.step("kill", lambda: kill(run, up, client), needs_s=60)


def raylets(run: Run) -> None:
    """One engine over two raylets of this host, a GPU each."""
    name = "dummy-dense-8b"
    run.write(name, models.llama_8b(small=run.cpu))
    document = load_document("dense-8b", mode="eager", cpu=run.cpu)
    over_two_nodes(document, cpu=run.cpu)
    run.results.title(f"One engine over two raylets with a GPU each, {run.hardware}")
    address = f"127.0.0.2:{free_port()}"
    _two_raylets(run, address)
    with serving(document, run.sessions, keep=run.out / "raylets", address=address) as up:
        client = started(run, up, name, timeout_s=240)
        run.step("chat and stream", lambda: answers(run, client), needs_s=15)
        nodes = run.sessions.titled(*RANKS)
        run.results.add("ranks of the engine", processes=len(nodes))
        run.step("load", lambda: load(run, client), needs_s=20)


STAGES: dict[str, Callable[[Run], None]] = {
    "deepseek": deepseek,
    "layers": layers,
    "dense": dense,
    "calibration": calibration,
    "ranks": ranks,
    "rank": rank,
    "raylets": raylets,
}


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
