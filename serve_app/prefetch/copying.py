"""Files of one node to all others that lack them, through Ray's object store.

Every piece is read once and becomes one object. Ray brings an object to whoever asks for it from
whoever has it, so the line of the source is not the limit for many nodes.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import ray
from ray.exceptions import RayError

from serve_app.models.meter import Meter
from serve_app.prefetch.holder import Entry

PIECE_BYTES = 64 << 20
PIECES_ON_THE_WAY = 8  # 512 MiB of each node's object store

Holders = Mapping[str, Any]  # actor handles, by node


class Copy:
    """From `source` to `targets`; `failed` has a reason for each target that dropped out."""

    def __init__(self, source: Any, targets: Holders, meter: Meter) -> None:
        self.failed: dict[str, str] = {}
        self._source = source
        self._targets = dict(targets)
        self._meter = meter
        self._checks: list[dict[str, Any]] = []

    def run(self, entries: list[Entry]) -> None:
        """Until every target has all files, or has dropped out."""
        begun = self._all({n: t.begin.remote(entries) for n, t in self._targets.items()})
        missing = {node: {entry.path for entry in lacks} for node, lacks in begun.items()}
        for entry in entries:
            to = [node for node in self._targets if entry.path in missing[node]]
            self._meter.update(entry.size_bytes * (len(self._targets) - len(to)))
            self._file(entry, to)
        for check in self._checks:
            self._all(check)
        self._all({node: target.finish.remote() for node, target in self._targets.items()})

    def _file(self, entry: Entry, to: list[str]) -> None:
        sha256 = self._source.sha256.remote(entry.path)
        on_the_way: deque[dict[str, Any]] = deque()
        for offset, size in _pieces(entry.size_bytes if to else 0):
            content = self._source.read.remote(entry.path, offset, size)
            on_the_way.append({node: self._write(node, entry, offset, content) for node in to})
            if len(on_the_way) == PIECES_ON_THE_WAY:
                self._landed(on_the_way.popleft())
        for sent in on_the_way:
            self._landed(sent)
        # Hashing goes on beside the next file.
        self._checks.append(
            {n: target.complete.remote(entry.path, sha256) for n, target in self._targets.items()}
        )

    def _write(self, node: str, entry: Entry, offset: int, content: Any) -> Any:
        # A target that has dropped out is asked no more; what it is still sent, nobody misses.
        target = self._targets.get(node)
        return target.write.remote(entry.path, offset, content) if target is not None else None

    def _landed(self, sent: Mapping[str, Any]) -> None:
        asked = {node: ref for node, ref in sent.items() if ref is not None}
        self._meter.update(sum(self._all(asked).values()))

    def _all(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answers of those that gave one; who raised has dropped out."""
        answers = {}
        for node, ref in asked.items():
            try:
                answers[node] = ray.get(ref)
            except RayError as error:
                self.failed.setdefault(node, why(error))
                self._targets.pop(node, None)
        return answers


def _pieces(size_bytes: int) -> Iterator[tuple[int, int]]:
    for offset in range(0, size_bytes, PIECE_BYTES):
        yield offset, min(PIECE_BYTES, size_bytes - offset)


def why(error: RayError) -> str:
    """What was raised on the other node, without the stack that led there."""
    return str(getattr(error, "cause", None) or error)
