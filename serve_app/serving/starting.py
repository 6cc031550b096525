"""How far a replica's start has come, for gateways: until it is over, no handle reaches the
replica. It leaves word in Ray's key-value store.
"""

import json
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ray.exceptions import RayError
from ray.experimental.internal_kv import (
    _internal_kv_del,
    _internal_kv_get,
    _internal_kv_put,
)

from serve_app.engine.phases import Phases

NAMESPACE = b"serve-app-starting"
INTERVAL_S = 1.0
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Starting:
    """A replica that is not in service yet: what it does, and what its phases took so far."""

    replica: str
    phase: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@contextmanager
def announced(replica: str, phases: Phases) -> Generator[None]:
    """Leave word of `phases` every second while the block runs, which may block its thread."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_announce, args=(replica, phases, ended), name="start-phases", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE_S)


def _announce(replica: str, phases: Phases, ended: threading.Event) -> None:
    key = replica.encode()
    while True:
        seconds = {phase: round(taken, 1) for phase, taken in phases.seconds.items()}
        said = json.dumps({"phase": phases.phase, "seconds": seconds}).encode()
        with suppress(RayError):  # a GCS that is away for a moment; this is news, not work
            _internal_kv_put(key, said, overwrite=True, namespace=NAMESPACE)
        if ended.wait(INTERVAL_S):
            break
    with suppress(RayError):
        _internal_kv_del(key, namespace=NAMESPACE)


def starting(replicas: Iterable[str]) -> tuple[Starting, ...]:
    """What those of `replicas` say that have said something. Blocks."""
    found = []
    with suppress(RayError):
        for replica in replicas:
            said = _internal_kv_get(replica.encode(), namespace=NAMESPACE)
            if said is not None:
                found.append(Starting(replica, **json.loads(said)))
    return tuple(found)
