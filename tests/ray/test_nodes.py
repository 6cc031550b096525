"""`serve-app plan --on cluster`: the hardware is what Ray's nodes report."""

from collections.abc import Iterator

import pytest
import ray

from serve_app.cli import main
from serve_app.planning.hardware import hardware_of

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def eight_h200() -> Iterator[None]:
    """A node of a cluster of its own that says it had them."""
    had = {"accelerator_type:H200": 1}
    ray.init(address="local", num_cpus=1, num_gpus=8, resources=had, include_dashboard=False)
    yield
    ray.shutdown()


def test_the_hardware_of_a_cluster_is_what_its_nodes_report(eight_h200: None) -> None:
    found = hardware_of("cluster")

    assert (found.nodes, found.gpus_per_node, found.gpu.name) == (1, 8, "H200")


def test_a_plan_for_the_cluster(eight_h200: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "deepseek-ai/DeepSeek-V3", "--on", "cluster"]) == 0
    assert "on 8 × H200" in capsys.readouterr().out
