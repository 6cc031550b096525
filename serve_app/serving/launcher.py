"""The `serve run FILE` that waits for an application which is being refused.

`serve run` never looks back: it deploys, and sleeps until Ctrl-C, whatever became of the
application. A builder that refuses finds the process in Ray's list of jobs, and ends it
after its message is out. Only the process is ended. `serve run` treats Ctrl-C as a wish to
shut Serve down, and a typo must not take down what already runs there.
"""

import os
import shlex
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ray._private.worker import global_worker

# Ray copies a worker's output to the driver's terminal about every half second.
MESSAGE_DELAY_S = 1.0
PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Launch:
    """A live `serve run` on this node, and the file it runs."""

    pid: int
    path: Path
    applications: tuple[dict[str, Any], ...]

    def application(self, args: dict[str, Any]) -> dict[str, Any]:
        """The entry of the file with these args; empty when there is none."""
        return next((a for a in self.applications if (a.get("args") or {}) == args), {})

    def end(self) -> None:
        """Stop the process. SIGHUP is the quiet way; `nohup` ignores it, so SIGTERM follows."""
        time.sleep(MESSAGE_DELAY_S)
        for sent in (signal.SIGHUP, signal.SIGTERM):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, sent)
            time.sleep(PATIENCE_S)


def find(args: dict[str, Any]) -> Launch | None:
    """The launch whose file holds an application with these args; None for `serve deploy`,
    for KubeRay, and when the command was given on another node."""
    for job in global_worker.gcs_client.get_all_job_info().values():
        if job.is_dead or job.driver_ip_address != global_worker.node_ip_address:
            continue
        launch = _launch(job.driver_pid, job.entrypoint)
        if launch and launch.application(args):
            return launch
    return None


def _launch(pid: int, entrypoint: str) -> Launch | None:
    words = shlex.split(entrypoint)
    if "run" not in words:
        return None
    names = [word for word in words[words.index("run") :] if word.endswith((".yaml", ".yml"))]
    with suppress(OSError, yaml.YAMLError, AttributeError):
        path = Path(f"/proc/{pid}/cwd").readlink() / names[0] if names else None
        if path is not None:
            applications = yaml.safe_load(path.read_text()).get("applications") or []
            return Launch(pid, path, tuple(applications))
    return None
