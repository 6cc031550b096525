"""`serve run FILE` as a user gives it, on a Ray cluster of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

BIN = Path(sys.executable).parent
DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
# No other cluster on this machine is joined, and none is asked for a token.
ENVIRONMENT = {**os.environ, "RAY_ADDRESS": "local", "RAY_AUTH_MODE": "disabled"}
POLL_S = 0.1
CLUSTER = Path(__file__).parents[2] / "cluster"
# Ports of its own, so that another HAProxy may run on this machine; and a short way out.
HERE = """
RAY_SERVE_HAPROXY_METRICS_PORT={0}
RAY_SERVE_HAPROXY_STATS_PORT={1}
RAY_SERVE_FALLBACK_PROXY_HTTP_PORT={2}
RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S=1
"""


class ServeRun:
    """A running `serve run`; `log` is what it printed, `key` an API key for what it is asked."""

    def __init__(
        self, process: subprocess.Popen[bytes], url: str, log: Path, key: str = ""
    ) -> None:
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self.process = process
        self.url = url
        self._log = log
        self.started = time.monotonic()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def dashboard(self) -> str:
        found = re.search(r"[Vv]iew the dashboard at (?:\S*?)(\d+\.\d+\.\d+\.\d+:\d+)", self.log)
        assert found is not None, self.log
        return f"http://{found[1]}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 while nothing answers."""
        try:
            asked = urllib.request.Request(self.url + path, headers=self._headers)
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a gateway metric over its labels."""
        _, text = self.get("/metrics")
        lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
        return sum(float(line.split()[-1]) for line in lines)

    def replicas(self, model: str) -> int:
        _, text = self.get("/ready")
        models = json.loads(text)["models"] if text.startswith("{") else {}
        return models[model]["replicas"] if model in models else 0

    def until(self, condition: Any, what: str, timeout_s: float) -> float:
        """Seconds until `condition()` is true; fails with the end of the log after `timeout_s`."""
        start = time.monotonic()
        while not condition():
            waited_s = time.monotonic() - start
            gone = self.process.poll() is not None
            assert not gone, f"`serve run` ended:\n{self.log[-4000:]}"
            assert waited_s < timeout_s, f"no {what} after {waited_s:.0f} s:\n{self.log[-4000:]}"
            time.sleep(POLL_S)
        return time.monotonic() - start


@contextmanager
def serve_run(
    file: Path,
    log: Path,
    *,
    port: int = 8000,
    variables: Path = Path(os.devnull),
    key: str = "",
) -> Iterator[ServeRun]:
    """Run `file` after sourcing `variables`; on the way out, Ctrl-C, and wait until all of it
    is gone."""
    source = 'set -a; . "$0"; set +a; exec "$@"'
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", source, variables, BIN / "serve", "run", file],
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield ServeRun(process, f"http://127.0.0.1:{port}", log, key)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def way_in(name: str, to: Path, *, ports_from: int) -> Path:
    """The variables of cluster/`name`.env, for a cluster beside others."""
    here = HERE.format(*range(ports_from, ports_from + 3))
    to.write_text(f". {CLUSTER / name}.env\n{here}")
    return to


def importable(folder: Path) -> Path:
    """Variables with which Serve finds the modules of these tests."""
    to = folder / "variables"
    to.write_text(f"PYTHONPATH={Path(__file__).parents[2]}{os.pathsep}$PYTHONPATH\n")
    return to


def deploy(file: Path, running: ServeRun) -> None:
    """`serve deploy` of another version of what runs there."""
    _printed("serve", "deploy", "--address", running.dashboard, str(file))


def serve_status(running: ServeRun, application: str) -> dict[str, Any]:
    """What `serve status` prints."""
    command = ["serve", "status", "--address", running.dashboard, "--name", application]
    return yaml.safe_load(_printed(*command))


def ray_status(running: ServeRun) -> str:
    """What `ray status` prints."""
    found = (re.search(r"gcs-address=(\S+)", line) for line in _processes(running).values())
    return _printed("ray", "status", "--address", next(match[1] for match in found if match))


def actor(running: ServeRun, name: str) -> int:
    """The process of a Ray actor with this name; 0 while there is none."""
    lines = _processes(running).items()
    return next((pid for pid, line in lines if line.startswith(f"ray::{name}")), 0)


def _processes(running: ServeRun) -> dict[int, str]:
    """All that it has started, by what `ps` would show."""
    lines = {}
    for process in psutil.Process(running.process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            lines[process.pid] = " ".join(process.cmdline())
    return lines


def _printed(program: str, *arguments: str) -> str:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])  # a YAML may name a policy of ours
    command = [BIN / program, *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    return done.stdout.decode()


def variant(name: str, to: Path, change: Any) -> Path:
    """A copy of deployments/`name`, changed by `change(document)`."""
    document = yaml.safe_load((DEPLOYMENTS / name).read_text())
    change(document)
    to.write_text(yaml.safe_dump(document, sort_keys=False))
    return to
