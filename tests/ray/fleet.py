"""How many replicas a deployment has, over time."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.ray.serve_run import ServeRun

INTERVAL_S = 0.5

Seen = tuple[float, int, int]
"""Seconds since some time, replicas that were ordered, replicas that serve."""


@contextmanager
def watch(
    running: ServeRun, application: str, *, began: float | None = None
) -> Iterator[list[Seen]]:
    """What `serve status` would say of its engines every half second, while the block runs.
    Time 0 is `began` on the monotonic clock, or the beginning of the block."""
    seen: list[Seen] = []
    is_over = threading.Event()
    began = time.monotonic() if began is None else began
    url = f"{running.dashboard}/api/serve/applications/"

    def look() -> None:
        while not is_over.wait(INTERVAL_S):
            with suppress(OSError, KeyError):  # Serve's controller is not there, or is not ready
                seen.append((time.monotonic() - began, *_replicas(url, application)))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        is_over.set()
        watching.join()


def _replicas(url: str, application: str) -> tuple[int, int]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = json.load(answer)["applications"][application]["deployments"]["Engine"]
    serving = sum(replica["state"] == "RUNNING" for replica in found["replicas"])
    return found["target_num_replicas"], serving


def steps(seen: list[Seen]) -> list[Seen]:
    """Only where something changed; what a failed test should print."""
    before = [(-1, -1), *((wanted, serving) for _, wanted, serving in seen)]
    return [now for now, then in zip(seen, before, strict=False) if now[1:] != then]
