"""A `serve run` of a YAML, on a Ray cluster of its own, and what it says."""

import json
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from serve_app.bench.here.cluster import SERVE, environment
from tests.gpu.prove.processes import Process, Sessions

# As a module: where packages lie on PYTHONPATH there are no console scripts.
RAY = (sys.executable, "-m", "ray.scripts.scripts")
SAID = {
    "weights_gib": r"Model loading took ([\d.]+) GiB memory",
    "loading_s": r"Model loading took [\d.]+ GiB memory and ([\d.]+) seconds",
    "kv_tokens": r"KV cache size: ([\d,]+) tokens",
    "kv_gib": r"Available KV cache memory: ([\d.]+) GiB",
    "requested_gib": r"GPU memory utilization is \([\d.]+, ([\d.]+) GiB\)",
    "device_gib": r"Free memory on device \([\d.]+/([\d.]+) GiB\)",
    "consumed_gib": r"Actual usage is ([\d.]+) GiB for consumed memory",
    "peak_gib": r"([\d.]+) GiB for peak activation",
    "graphs_estimated_gib": r"\(actual\), ([\d.]+) GiB \(estimated\)",
    "graphs_s": r"Graph capturing finished in (\d+) secs",
    "graphs_gib": r"Graph capturing finished in \d+ secs, took ([\d.]+) GiB",
    "compile_s": r"torch.compile took ([\d.]+) s",
    "init_engine_s": r"init engine \(profile, create kv cache, warmup model\) took ([\d.]+) s",
    "ready_s": r"engine ready after ([\d.]+) s",
}
CHOICES = r"(Using \S+ Fp8 MoE backend|Selected \w+ for \w+|Using \S+ attention backend)"


class Failed(Exception):
    """It did not come up, or not in time."""


class Serving:
    """A running `serve run`."""

    def __init__(self, process: Process, url: str, log: Path, folder: Path) -> None:
        self.process = process
        self.url = url
        self._log = log
        self._folder = folder
        self._old: dict[str, int] = {}

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def logs(self) -> str:
        """Of Ray's workers: vLLM's processes among them."""
        files = sorted(self._folder.glob("ray/session_*/logs/worker-*"), key=os.path.getmtime)
        return "\n".join(file.read_text(errors="replace") for file in files)

    def said(self) -> dict[str, float]:
        """The largest number of each kind, over ranks, that vLLM has said since `forget`."""
        return {
            name: max(numbers[self._old.get(name, 0) :])
            for name, numbers in self._numbers().items()
            if len(numbers) > self._old.get(name, 0)
        }

    def forget(self) -> None:
        """What was said is of a replica that is gone, or of another stage."""
        self._old = {name: len(numbers) for name, numbers in self._numbers().items()}

    def _numbers(self) -> dict[str, list[float]]:
        text = self.logs() + self.log
        found = {name: re.findall(pattern, text) for name, pattern in SAID.items()}
        return {name: [float(n.replace(",", "")) for n in all_] for name, all_ in found.items()}

    def phases(self) -> str:
        """Of the last start, as the replica says them."""
        found = re.findall(r"engine ready after [\d.]+ s \((.*?)\)", self.logs() + self.log)
        return found[-1] if found else ""

    def choices(self) -> list[str]:
        """The kernels that vLLM says it uses."""
        return sorted(set(re.findall(CHOICES, self.logs() + self.log)))

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def ready(self, model: str) -> dict[str, Any]:
        _, text = self.get("/ready")
        found: dict[str, Any] = json.loads(text)["models"][model] if text[:1] == "{" else {}
        return found or {"ready": False, "replicas": 0}

    def metric(self, name: str) -> float:
        _, text = self.get("/metrics")
        lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
        return sum(float(line.split()[-1]) for line in lines)

    def until(self, condition: Callable[[], object], what: str, timeout_s: float) -> float:
        """Seconds until it is true; raises `Failed`, with the last errors in the log."""
        started = time.monotonic()
        while not condition():
            waited_s = time.monotonic() - started
            if self.process.poll() is not None or "DEPLOY_FAILED" in self.log:
                raise Failed(f"`serve run` failed before {what}: {self.errors()}")
            if waited_s > timeout_s:
                raise Failed(f"no {what} after {waited_s:.0f} s: {self.errors()}")
            time.sleep(0.2)
        return time.monotonic() - started

    def errors(self) -> str:
        lines = (self.log + self.logs()).splitlines()
        found = [line[-300:] for line in lines if re.search(r"(Error|REFUSED|FAILED)\b", line)]
        return " // ".join(dict.fromkeys(found[-6:]))

    def keep(self, to: Path, most: int = 400_000) -> None:
        """The ends of the logs, for whoever reads them later."""
        to.mkdir(parents=True, exist_ok=True)
        (to / "serve.log").write_text(self.log[-most:])
        (to / "workers.log").write_text(self.logs()[-most:])


@contextmanager
def serving(
    document: dict[str, Any], sessions: Sessions, *, keep: Path, address: str = "local"
) -> Iterator[Serving]:
    """Of `document`; the ends of its logs are in `keep` then, and all its processes killed."""
    folder, port = sessions.folder, free_port()
    document["http_options"] |= {"host": "127.0.0.1", "port": port}
    file, log = folder / f"serve-{port}.yaml", folder / f"serve-{port}.log"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    process = sessions.start([*SERVE, "run", str(file)], log, RAY_ADDRESS=address)
    up = Serving(process, f"http://127.0.0.1:{port}", log, folder)
    up.forget()
    try:
        yield up
    finally:
        up.keep(keep)


def cluster_environment(folder: Path) -> dict[str, str]:
    """For every process of a run; short paths, because of Ray's sockets."""
    return {
        **os.environ,
        **environment("proxy"),
        "RAY_AUTH_MODE": "disabled",  # a closed machine
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder / "ray"),
        "TMPDIR": str(folder),
        "SERVE_APP_MODELS": str(folder / "models"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
