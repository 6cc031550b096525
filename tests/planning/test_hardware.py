"""Names of hardware, and what a cluster's nodes are."""

import pytest

from serve_app.planning.errors import PlanError
from serve_app.planning.gpus import ROWS
from serve_app.planning.hardware import hardware_of, of_nodes

NODE = {"CPU": 96.0, "GPU": 8.0, "accelerator_type:H200": 1.0}


@pytest.mark.parametrize(
    ("text", "nodes", "gpus", "name"),
    [
        ("8xH200", 1, 8, "H200"),
        ("2x8xH100-80", 2, 8, "H100-80"),
        ("8xh100", 1, 8, "H100-80"),
        ("8×B200", 1, 8, "B200"),
        ("4xRTX4090", 1, 4, "RTX4090"),
        ("4x4090", 1, 4, "RTX4090"),
        ("8xmi300x", 1, 8, "MI300X"),
    ],
)
def test_hardware_as_people_write_it(text: str, nodes: int, gpus: int, name: str) -> None:
    found = hardware_of(text)

    assert (found.nodes, found.gpus_per_node, found.gpu.name) == (nodes, gpus, name)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([NODE, NODE, {"CPU": 4.0}], (2, 8, "H200")),
        ([NODE, NODE | {"GPU": 4.0}], (1, 8, "H200")),
        ([{"GPU": 8.0, "accelerator_type:A100": 1.0, "accelerator_type:A100-40G": 1.0}],
         (1, 8, "A100-40")),
    ],
)  # fmt: skip
def test_a_cluster_is_its_largest_set_of_equal_nodes(
    nodes: list[dict[str, float]], expected: tuple[int, int, str]
) -> None:
    found = of_nodes(nodes)

    assert (found.nodes, found.gpus_per_node, found.gpu.name) == expected


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([{"CPU": 2.0}], "no node of it has a GPU"),
        ([{"GPU": 1.0, "accelerator_type:T4": 1.0}], "no figures for its GPU T4; known are"),
    ],
)
def test_a_cluster_that_cannot_be_planned_for(nodes: list[dict[str, float]], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        of_nodes(nodes)


def test_every_gpu_has_a_source_and_figures_that_can_be() -> None:
    for row in ROWS:
        gpu = row.gpu
        assert "data sheet" in row.source or "white paper" in row.source
        assert row.ray_names
        assert gpu.fp8_flops == 0 or 1.9 < gpu.fp8_flops / gpu.bf16_flops < 2.1
        assert 10e9 < gpu.memory_bytes < 400e9
        assert 0.2e12 < gpu.bandwidth_bytes_per_s < 10e12
