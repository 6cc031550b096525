"""GPUs through NVIDIA's library: how it is read, for it cannot be run on this machine."""

from pathlib import Path

import pytest

from serve_app.core.preflight.node import GpuFacts, Process
from serve_app.probing import gpus
from tests.probing.nvml import GIB, Library

USED = [name for name in vars(Library) if name.startswith("nvml")]
H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Device files of two GPUs."""
    for index in range(2):
        (tmp_path / f"nvidia{index}").touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)


@pytest.mark.parametrize("name", [*USED, "NVMLError"])
def test_the_real_library_has_what_is_used_of_it(name: str) -> None:
    assert hasattr(gpus._library(), name)


def test_gpus_are_read_and_the_library_is_closed(
    devices: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library()
    monkeypatch.setattr(gpus, "_library", lambda: library)

    found, driver, skipped = gpus.gpus()

    held = (Process(41, 40 * GIB, "python3"), Process(42, 0, "VLLM::EngineCore"))
    assert found == (
        GpuFacts(0, H100, 90, 79 * GIB, 79 * GIB),
        GpuFacts(1, H100, 90, 79 * GIB, 30 * GIB, held),
    )
    assert (driver, skipped) == ("580.95.05", "")
    assert not library.is_open


@pytest.mark.parametrize(
    ("denied", "processes"),
    [
        ("nvmlDeviceGetComputeRunningProcesses", ()),
        ("nvmlSystemGetProcessName", (Process(41, 40 * GIB), Process(42, 0))),
    ],
)
def test_a_container_may_not_see_who_holds_memory(
    devices: None,
    monkeypatch: pytest.MonkeyPatch,
    denied: str,
    processes: tuple[Process, ...],
) -> None:
    monkeypatch.setattr(gpus, "_library", lambda: Library(denied))

    (_, second), _, skipped = gpus.gpus()

    assert second.processes == processes
    assert skipped == ""


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (None, "neither nvidia-ml-py nor vLLM's copy of it is installed"),
        (Library("nvmlInit"), "the driver does not answer (Insufficient Permissions)"),
        (Library("nvmlDeviceGetMemoryInfo"), "the driver does not answer"),
    ],
)
def test_what_cannot_be_asked_is_said(
    devices: None, monkeypatch: pytest.MonkeyPatch, library: Library | None, said: str
) -> None:
    monkeypatch.setattr(gpus, "_library", lambda: library)

    found, driver, skipped = gpus.gpus()

    assert (found, driver) == ((), "")
    assert said in skipped


def test_a_driver_without_a_device_is_said(devices: None) -> None:
    """Device files and no driver behind them: the real library."""
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("this machine has GPUs")

    assert gpus.gpus()[2].startswith("GPU checks: the driver does not answer")


def test_gpus_that_ray_gave_out_are_picked_by_number() -> None:
    found = [GpuFacts(index, H100, 90, 1, 1) for index in range(4)]

    assert [gpu.index for gpu in gpus.of_ids(found, ["1", "3", "MIG-7"])] == [1, 3]
