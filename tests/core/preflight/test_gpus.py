"""Memory and abilities of GPUs."""

import pytest

from serve_app.core.preflight.gpus import capability_findings, count_findings, memory_findings
from serve_app.core.preflight.node import GpuFacts, NodeFacts, Process

GB = 10**9


def gpu(
    index: int, free_gb: float, *processes: Process, capability: int = 90, name: str = "H100"
) -> GpuFacts:
    return GpuFacts(index, name, capability, 80 * GB, int(free_gb * GB), processes)


def node(*gpus: GpuFacts, ranks: int = 1) -> NodeFacts:
    return NodeFacts("10.0.0.1", ranks=ranks, gpus=gpus)


PYTHON = Process(41, 30 * GB, "python")
NAMELESS = Process(42, 5 * GB)


@pytest.mark.parametrize(
    ("gpus", "sentences"),
    [
        pytest.param([], None, id="no GPU"),
        pytest.param([gpu(0, 79)], None, id="all but free"),
        pytest.param([gpu(0, 73.6)], None, id="exactly enough"),
        pytest.param(
            [gpu(0, 79), gpu(1, 45, PYTHON, NAMELESS)],
            [
                "10.0.0.1: GPU 1 (H100) has 45.0 of 80.0 GB free,",
                "gpu_memory_utilization 0.92 needs 73.6 GB",
                "stop python (pid 41, 30.0 GB), a process (pid 42, 5.0 GB), or set it to 0.56",
            ],
            id="held by processes that are known",
        ),
        pytest.param(
            [gpu(0, 45), gpu(1, 40)],
            [
                "GPU 1 (H100) has 40.0 of 80.0 GB free (2 GPUs of this node have too little)",
                "stop what holds the rest (nvidia-smi",
            ],
            id="several, by nobody that the driver names",
        ),
        pytest.param(
            [gpu(0, 1, *(Process(pid, pid * GB, "p") for pid in range(1, 7)))],
            ["stop p (pid 6, 6.0 GB), ", "p (pid 3, 3.0 GB) and 2 more, or set it to 0.01"],
            id="many, the largest first",
        ),
    ],
)
def test_free_memory(gpus: list[GpuFacts], sentences: list[str] | None) -> None:
    found = [finding.message for finding in memory_findings([node(*gpus)], 0.92)]

    assert len(found) == (sentences is not None)
    assert [s for s in sentences or () if s not in found[0]] == [], found


@pytest.mark.parametrize(("gpus", "ranks", "is_said"), [(0, 2, False), (2, 2, False), (1, 2, True)])
def test_ray_may_have_been_told_of_more_gpus_than_there_are(
    gpus: int, ranks: int, is_said: bool
) -> None:
    found = list(count_findings([node(*(gpu(n, 80) for n in range(gpus)), ranks=ranks)]))

    assert bool(found) is is_said
    assert all("the driver shows 1 GPUs, and 2 ranks" in f.message for f in found)


@pytest.mark.parametrize(
    ("capability", "is_enough"), [(0, True), (75, True), (90, True), (70, False), (61, False)]
)
def test_abilities(capability: int, is_enough: bool) -> None:
    gpus = [gpu(n, 80, capability=capability, name="V100") for n in range(8)]
    found = list(capability_findings([node(*gpus)], "fp8", 75, "take another"))

    assert len(found) == (not is_enough), "a kind of GPU is named once"
    wanted = f"has {capability // 10}.{capability % 10}: take another"
    assert all("fp8 needs compute capability 7.5" in f.message for f in found)
    assert all(wanted in f.message for f in found)
