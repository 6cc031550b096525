"""What was found out about one node of a placement group."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Process:
    """A process with memory on a GPU; `name` is empty where only its pid is known."""

    pid: int
    memory_bytes: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or 'a process'} (pid {self.pid}, {self.memory_bytes / 1e9:.1f} GB)"


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """A GPU. `capability` is CUDA's, 90 for 9.0; 0 where it has none."""

    index: int
    name: str
    capability: int
    total_bytes: int
    free_bytes: int
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder that will be written to, and the room on its disk."""

    purpose: str
    path: str
    free_bytes: int
    is_writable: bool


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """`gpus` are those that the engine will get. `checkpoint` says what its model lacks there;
    None stands for what was not asked or could not be told, and `skipped` says why."""

    address: str
    ranks: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[GpuFacts, ...] = ()
    shared_memory_bytes: int | None = None
    disks: tuple[Disk, ...] = ()
    checkpoint: str = ""
    busy_ports: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
