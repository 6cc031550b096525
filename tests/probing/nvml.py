# ruff: noqa: N802 - the names are the library's
"""NVIDIA's management library as it answers on a node of two GPUs, of which one is in use."""

from types import SimpleNamespace
from typing import Any

GIB = 1 << 30
NAMES = {41: "/usr/bin/python3 train.py", 42: b"VLLM::EngineCore"}


class NVMLError(Exception):
    """What the library raises."""


class Library:
    """`denied` are the calls that this process may not make."""

    NVMLError = NVMLError
    nvmlMemory_v2 = 2  # noqa: N815 - the library's name

    def __init__(self, *denied: str) -> None:
        self.denied = denied
        self.is_open = False

    def __getattribute__(self, name: str) -> Any:
        if name in object.__getattribute__(self, "denied"):
            return self._denied
        return object.__getattribute__(self, name)

    def _denied(self, *_: Any, **__: Any) -> None:
        raise NVMLError("Insufficient Permissions")

    def nvmlInit(self) -> None:
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetCudaComputeCapability(self, _: int) -> list[int]:
        return [9, 0]

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int) -> SimpleNamespace:
        assert version == self.nvmlMemory_v2
        free = 79 * GIB if handle == 0 else 30 * GIB
        return SimpleNamespace(total=80 * GIB, reserved=GIB, free=free)

    def nvmlDeviceGetName(self, _: int) -> bytes:
        return b"NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        held = {41: 40 * GIB, 42: None} if handle == 1 else {}
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in held.items()]

    def nvmlSystemGetProcessName(self, pid: int) -> str | bytes:
        return NAMES[pid]

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.95.05"
