"""A `serve run` for the length of a measurement, with the environment of one way in."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# As a module: where packages lie on PYTHONPATH there are no console scripts.
SERVE = (sys.executable, "-m", "ray.serve.scripts")
WAYS_IN = ("proxy", "haproxy")
READY_TIMEOUT_S = 600.0  # a first start on a GPU compiles; one that dies is noticed at once
STOP_TIMEOUT_S = 90.0


def environment(way_in: str) -> dict[str, str]:
    """What `cluster/WAY.env` sets, on top of what this process has."""
    text = Path("cluster", f"{way_in}.env").read_text()
    pairs = [word.partition("=") for word in shlex.split(text, comments=True)]
    return {name: value for name, _, value in pairs}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    document: Mapping[str, Any], folder: Path, env: Mapping[str, str], *, key: str = ""
) -> Iterator[str]:
    """Run `document`, a Serve YAML, on a Ray cluster of its own; yields its address. `key` is
    for its `/ready`, where its gateway wants one."""
    port = free_port()
    http = {**document.get("http_options", {}), "host": "127.0.0.1", "port": port}
    file = folder / f"serve-{port}.yaml"
    file.write_text(yaml.safe_dump({**document, "http_options": http}, sort_keys=False))
    # A cluster of its own, whatever Ray this user runs elsewhere.
    own = {**os.environ, **env, "RAY_ADDRESS": "local", "RAY_AUTH_MODE": "disabled"}
    command = [*SERVE, "run", str(file)]
    with process(command, folder / f"serve-{port}.log", env=own) as running:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/ready", running, key=key)
        yield url


@dataclass(frozen=True, slots=True)
class Running:
    """A process and what it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    def require(self) -> None:
        """Raises `RuntimeError`, with the end of the log, when the process has ended."""
        status = self.process.poll()
        if status is not None:
            said = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.process.args!r} ended with status {status}:\n{said}")


@contextmanager
def process(
    command: list[str], log: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A process that is stopped as Ctrl-C stops it, and killed when it does not obey."""
    with log.open("wb") as output:
        started = subprocess.Popen(  # noqa: S603 - commands of this package
            command, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Running(started, log)
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_for(url: str, running: Running, *, key: str = "") -> None:
    """Until `url` answers 200; raises `RuntimeError` when the process ends, or never does."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        running.require()
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - ours
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {READY_TIMEOUT_S:.0f} s")
