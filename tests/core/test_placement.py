"""Which bundles fit on which nodes, as a table."""

import pytest

from serve_app.core.placement import Resources, fits

NODE = {"CPU": 96, "GPU": 8}
RANKS = [{"CPU": 1, "GPU": 1}, *[{"GPU": 1}] * 7]


@pytest.mark.parametrize(
    ("bundles", "strategy", "nodes", "answer", "why"),
    [
        (RANKS, "STRICT_PACK", [NODE], True, "eight ranks on an eight-GPU node"),
        (RANKS, "STRICT_PACK", [{"CPU": 2}], False, "a laptop has no GPU"),
        (RANKS, "STRICT_PACK", [{"CPU": 9, "GPU": 4}] * 2, False, "half on each is not one node"),
        (RANKS, "PACK", [{"CPU": 9, "GPU": 4}] * 2, True, "PACK may straddle"),
        (RANKS * 2, "PACK", [NODE] * 2, True, "sixteen ranks on two nodes"),
        (RANKS * 2, "PACK", [NODE], False, "and not on one"),
        ([{"CPU": 1}] * 2, "STRICT_SPREAD", [{"CPU": 4}], False, "two nodes are wanted"),
        ([{"CPU": 1}] * 2, "STRICT_SPREAD", [{"CPU": 4}] * 2, True, "and are there"),
        ([{"GPU": 8}], "PACK", [{"GPU": 4}] * 2, False, "a bundle lies on one node"),
        ([{}], "PACK", [], False, "no node holds nothing"),
    ],
)
def test_fits(
    bundles: list[Resources], strategy: str, nodes: list[Resources], answer: bool, why: str
) -> None:
    assert fits(bundles, strategy, nodes) is answer, why


def test_the_nodes_given_are_left_as_they_were() -> None:
    node = dict(NODE)
    fits(RANKS, "PACK", [node])

    assert node == NODE
