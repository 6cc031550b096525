"""What one node is asked, and its answer. It travels to the node as a Ray task."""

from collections.abc import Mapping
from dataclasses import dataclass

from serve_app.core.preflight.node import NodeFacts
from serve_app.models import ModelError, cache, checkpoint
from serve_app.probing.disks import disk, shared_memory
from serve_app.probing.gpus import gpus
from serve_app.probing.ports import is_busy
from serve_app.probing.software import versions


@dataclass(frozen=True, slots=True)
class Probe:
    """`model` is as the YAML names it, found by the variables of the node; `ports` are only asked
    for where the engine's front end is."""

    model: str
    has_weights: bool
    written: Mapping[str, str]
    ports: Mapping[str, int]

    def facts(self, address: str, ranks: int) -> NodeFacts:
        """About this node, which `address` names and on which so many ranks will be."""
        found, driver, skipped = gpus()
        return NodeFacts(
            address=address,
            ranks=ranks,
            versions=versions() | ({"the NVIDIA driver": driver} if driver else {}),
            gpus=found,
            shared_memory_bytes=shared_memory(),
            disks=tuple(disk(*entry) for entry in self.written.items()),
            checkpoint=self._lacking(),
            busy_ports={name: port for name, port in self.ports.items() if is_busy(port)},
            skipped=(f"{address}: {skipped}",) if skipped else (),
        )

    def _lacking(self) -> str:
        try:
            checkpoint.check(cache.locate(self.model), has_weights=self.has_weights)
        except ModelError as error:
            return str(error).rstrip(".")
        return ""
