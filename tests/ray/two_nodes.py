"""A Ray cluster of two nodes on this machine, started by cluster/head.sh and cluster/worker.sh.

To Ray they are two hosts, 127.0.0.2 and 127.0.0.3, with node ids and resources of their own.
127.0.0.1 would not do: `ray start` puts the machine's outward address in its place. As on real
machines, nobody gets in without the token that head.sh makes.

Each command leads a session of its own, which all that it starts belongs to, orphans too.
On the way out these sessions are killed, and nothing else: other clusters on this machine
go on.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.ray.serve_run import CLUSTER

ROOT = Path(__file__).parents[2]
ADDRESSES = ("127.0.0.2", "127.0.0.3")
# What a user changes in the file: addresses and folders, here of this test.
ENVIRONMENT = """
. {cluster}/environment
SERVE_APP_HEAD={address}
SERVE_APP_VENV={venv}
SERVE_APP_WAY_IN=proxy
SERVE_APP_MODELS={models}
SERVE_APP_METRICS_PORT=0
RAY_AUTH_TOKEN_PATH={token}
"""
PLACEMENT_GROUPS = """
import json, ray
ray.init(log_to_driver=False)
addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
groups = ray.util.placement_group_table().values()
print(json.dumps([[addresses[n] for n in g["bundles_to_node_id"].values()] for g in groups]))
"""

Process = subprocess.Popen[bytes]


class TwoNodes:
    """`environment` is what its commands are given, `folder` has all that they write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "commands.log"
        self.token = folder / "token" / "ray-token"
        self.address = f"{ADDRESSES[0]}:{free_port()}"
        self.environment = {
            **os.environ,
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "SERVE_APP_MODELS": str(folder),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),  # vLLM leaves sockets in it
        }
        self._sessions: list[Process] = []
        self._shared_memory: set[str] = set()

    def start(self, *command: str | Path) -> Process:
        """Run `command` in a session of its own; what it prints goes to `log`."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._sessions.append(process)
        return process

    def ended(self, process: Process) -> Process:
        """Wait until it has, and well."""
        assert process.wait(timeout=120) == 0, self.log.read_text()
        return process

    def start_nodes(
        self, *, cpus: int, gpus: int = 0, models: Mapping[str, Path] | None = None
    ) -> list[Process]:
        """Their `ray start`s, which have ended: the sessions of the nodes go on without them.
        Each node believes in its GPUs. `models` are their caches, if not `folder`."""
        caches = models or dict.fromkeys(ADDRESSES, self.folder)
        head = (
            f"--temp-dir={self.folder}",
            # Neither is used, but both are started, on ports that another cluster may have.
            *(f"--ray-client-server-port={free_port()}", f"--dashboard-port={free_port()}"),
            "--include-dashboard=false",
        )
        # One log monitor forwards the output of both nodes, for they share the folder.
        worker = (f"--node-ip-address={ADDRESSES[1]}", "--include-log-monitor=false")
        both = (
            *(f"--num-cpus={cpus}", f"--num-gpus={gpus}"),
            "--object-store-memory=80000000",  # about the least that Ray takes
            "--dashboard-agent-listen-port=0",  # agents of other clusters have the default one
        )
        return [
            self.ended(self.start(CLUSTER / script, self._settings(cache), *both, *options))
            for script, options, cache in zip(
                ("head.sh", "worker.sh"), (head, worker), caches.values(), strict=True
            )
        ]

    def _settings(self, models: Path) -> Path:
        """What head.sh and worker.sh read."""
        file = self.folder / f"environment-{models.name}"
        file.write_text(
            ENVIRONMENT.format(
                cluster=CLUSTER,
                address=self.address,
                venv=sys.prefix,
                models=models,
                token=self.token,
            )
        )
        return file

    def placement_groups(self) -> list[list[str]]:
        """For each placement group, the address of the node of each bundle."""
        command = [sys.executable, "-c", PLACEMENT_GROUPS]
        said = subprocess.check_output(command, env=self.environment, text=True)
        groups: list[list[str]] = json.loads(said)
        return groups

    def processes(self, session: Process) -> dict[int, str]:
        """The live processes of a session, its leader included: their titles, by pid."""
        listed = subprocess.check_output(["ps", "-eo", "pid=,sid=,stat=,args="], text=True)
        rows = [line.split(maxsplit=3) for line in listed.splitlines()]
        alive = [(pid, sid, args) for pid, sid, state, args in rows if not state.startswith("Z")]
        return {int(pid): args for pid, sid, args in alive if int(sid) == session.pid}

    def note_shared_memory(self) -> None:
        """Remember the files in memory that are in use: a killed rank of vLLM leaves its own."""
        for session in self._sessions:
            for pid in self.processes(session):
                with suppress(OSError):
                    maps = Path(f"/proc/{pid}/maps").read_text()
                    self._shared_memory |= set(re.findall(r"/dev/shm/\S+", maps))

    def end(self) -> None:
        """SIGKILL: Ray's own way out takes half a minute while ranks wait for each other.
        Python's resource trackers go by themselves, when they have tidied up."""
        self.note_shared_memory()
        for session in self._sessions:
            while processes := self.processes(session):
                for pid, title in processes.items():
                    if "resource_tracker" not in title:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
                session.poll()
            session.wait()
        for name in self._shared_memory:
            Path(name).unlink(missing_ok=True)


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """A cluster whose nodes are yet to be started."""
    # Not pytest's folder: the paths of Ray's sockets must stay below 108 characters.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        cluster = TwoNodes(Path(folder))
        try:
            yield cluster
        finally:
            cluster.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
