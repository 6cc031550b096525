"""The same software on all nodes of an engine."""

import pytest

from serve_app.core.preflight.node import NodeFacts
from serve_app.core.preflight.versions import version_findings


def nodes(*versions: dict[str, str]) -> list[NodeFacts]:
    return [NodeFacts(f"10.0.0.{n}", versions=v) for n, v in enumerate(versions, 1)]


SAME = {"Python": "3.11.7", "Ray": "2.60.0", "vLLM": "0.32.0", "NCCL": "2.27"}


@pytest.mark.parametrize(
    ("found", "differences"),
    [
        pytest.param([], {}, id="no node"),
        pytest.param([SAME], {}, id="one node"),
        pytest.param([SAME] * 3, {}, id="three alike"),
        pytest.param(
            [SAME, SAME | {"vLLM": "0.31.1"}],
            {"vLLM": "0.32.0 on 10.0.0.1, 0.31.1 on 10.0.0.2"},
            id="another vLLM",
        ),
        pytest.param(
            [SAME, {"the NVIDIA driver": "580.1", **SAME}],
            {"the NVIDIA driver": "none on 10.0.0.1, 580.1 on 10.0.0.2"},
            id="a driver on one of them",
        ),
        pytest.param(
            [SAME | {"NCCL": "2.26"}, *[SAME] * 4],
            {"NCCL": "2.26 on 10.0.0.1, 2.27 on 10.0.0.2, 10.0.0.3 and 2 more"},
            id="one of many",
        ),
        pytest.param(
            [SAME, SAME | {"Python": "3.12.1", "Ray": "2.59.0"}, SAME],
            {
                "Python": "3.11.7 on 10.0.0.1 and 10.0.0.3, 3.12.1 on 10.0.0.2",
                "Ray": "2.60.0 on 10.0.0.1 and 10.0.0.3, 2.59.0 on 10.0.0.2",
            },
            id="two things, each for itself",
        ),
    ],
)
def test_versions(found: list[dict[str, str]], differences: dict[str, str]) -> None:
    assert [finding.message for finding in version_findings(nodes(*found))] == [
        f"{name} differs between the nodes of one engine ({how}): install one"
        for name, how in differences.items()
    ]
