"""Processes that lead a session each, and none of which is left at the end."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

Process = subprocess.Popen[bytes]


class Sessions:
    """Starts commands in `folder`, and kills whatever belongs to their sessions."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._leaders: list[Process] = []

    def start(self, command: list[str], log: Path, **more: str) -> Process:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=self.environment | more,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._leaders.append(process)
        # What a later `sweep` needs, should this process be killed.
        with (self.folder / "sessions").open("a") as file:
            file.write(f"{process.pid}\n")
        return process

    def titled(self, *words: str) -> dict[int, str]:
        """Live processes of these sessions with one of `words` in their title, by pid."""
        found = dict(processes({leader.pid for leader in self._leaders}))
        return {pid: title for pid, title in found.items() if any(w in title for w in words)}

    def end(self) -> None:
        end({leader.pid for leader in self._leaders})
        for leader in self._leaders:
            with suppress(subprocess.TimeoutExpired):
                leader.wait(timeout=10)
        self._leaders.clear()


def end(sessions: set[int], *, patience_s: float = 20.0) -> None:
    """SIGKILL, since nothing is to be kept; and away with the shared memory that is left."""
    shared: set[str] = set()
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        alive = dict(processes(sessions))
        for pid, title in alive.items():
            with suppress(OSError):
                maps = Path(f"/proc/{pid}/maps").read_text()
                shared |= set(re.findall(r"/dev/shm/\S+", maps))
            if "resource_tracker" not in title:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not alive:
            break
        time.sleep(0.1)
    for name in shared:
        Path(name).unlink(missing_ok=True)


def processes(sessions: set[int]) -> Iterator[tuple[int, str]]:
    """Pid and title of what is alive in `sessions`, from /proc: a bare machine may lack `ps`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_text()
            state, _, _, session = stat[stat.rindex(")") + 2 :].split()[:4]
            if int(session) in sessions and state != "Z":
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                yield int(entry.name), title


def sweep(folder: Path) -> int:
    """End the sessions that an earlier run noted in `folder`; how many processes there were."""
    file = folder / "sessions"
    noted = {int(line) for line in file.read_text().split()} if file.is_file() else set()
    left = len(dict(processes(noted)))
    end(noted)
    return left
