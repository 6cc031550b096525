"""This node's GPUs, as NVIDIA's driver tells; nothing where there is none.

NVML needs no CUDA context, so the replica, whose workers hold the GPUs, may ask it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serve_app.core.preflight.node import GpuFacts, Process

DEVICES = Path("/dev")


def gpus() -> tuple[tuple[GpuFacts, ...], str, str]:
    """All GPUs, the driver's version, and why they could not be asked for; empty where there are
    none to ask for."""
    if not any(DEVICES.glob("nvidia[0-9]*")):
        return (), "", ""
    nvml = _library()
    if nvml is None:
        return (), "", "GPU checks: neither nvidia-ml-py nor vLLM's copy of it is installed"
    try:
        with _initialised(nvml):
            handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
            found = tuple(_gpu(nvml, index, handle) for index, handle in enumerate(handles))
            return found, _text(nvml.nvmlSystemGetDriverVersion()), ""
    except nvml.NVMLError as error:
        return (), "", f"GPU checks: the driver does not answer ({error})"


def of_ids(found: Sequence[GpuFacts], ids: Sequence[str]) -> tuple[GpuFacts, ...]:
    """Those that Ray gave out: an index each; a name that is none (a MIG slice) is left out."""
    return tuple(gpu for gpu in found if str(gpu.index) in ids)


def _gpu(nvml: Any, index: int, handle: Any) -> GpuFacts:
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    return GpuFacts(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        capability=10 * major + minor,
        total_bytes=memory.total - memory.reserved,  # what CUDA calls all of it
        free_bytes=memory.free,
        processes=tuple(_processes(nvml, handle)),
    )


def _processes(nvml: Any, handle: Any) -> Iterator[Process]:
    """The driver tells a container about none, or about some without their memory."""
    with suppress(nvml.NVMLError):
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            yield Process(process.pid, process.usedGpuMemory or 0, _name(nvml, process.pid))


def _name(nvml: Any, pid: int) -> str:
    try:
        return Path(_text(nvml.nvmlSystemGetProcessName(pid)).split(" ")[0]).name
    except nvml.NVMLError:
        return ""


def _text(said: str | bytes) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


@contextmanager
def _initialised(nvml: Any) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _library() -> Any:
    """nvidia-ml-py, or the copy in vLLM, by its file: importing vllm would take seconds."""
    with suppress(ImportError):
        return importlib.import_module("pynvml")
    vllm = importlib.util.find_spec("vllm")
    for folder in (vllm.submodule_search_locations or ()) if vllm else ():
        file = Path(folder) / "third_party" / "pynvml.py"
        spec = importlib.util.spec_from_file_location("serve_app_pynvml", file)
        if file.is_file() and spec and spec.loader:
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module  # it looks itself up
            spec.loader.exec_module(module)
            return module
    return None
