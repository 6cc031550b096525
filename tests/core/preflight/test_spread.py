"""Where bundles lie, against where they should."""

import pytest

from serve_app.core.placement import Resources
from serve_app.core.preflight.spread import Spread, spread_findings

NODE = {"CPU": 16, "GPU": 8}
SMALL = {"CPU": 16, "GPU": 4}
NAMES = {"a": "10.0.0.1", "b": "10.0.0.2"}


def gpus(count: int) -> list[Resources]:
    return [{"CPU": 4, "GPU": 1}, *[{"GPU": 1}] * (count - 1)]


def said(
    lies_on: str,
    *,
    strategy: str = "PACK",
    nodes: dict[str, Resources] | None = None,
    tensor: int = 1,
    expected: int | None = None,
    here: str = "a",
) -> list[str]:
    spread = Spread(
        gpus(len(lies_on)), strategy, lies_on, nodes or dict.fromkeys("abc", NODE), here
    )
    found = spread_findings(
        spread, tensor=tensor, ranks=len(lies_on), expected=expected, names=NAMES
    )
    return [finding.message for finding in found]


@pytest.mark.parametrize(
    ("lies_on", "options", "why"),
    [
        ("a" * 8, {"tensor": 8}, "eight ranks on a node of eight"),
        ("a" * 8 + "b" * 8, {"tensor": 8}, "sixteen on two"),
        ("a" * 4 + "b" * 4, {"nodes": {"a": SMALL, "b": SMALL}, "tensor": 4}, "nodes of four"),
        ("a" * 4 + "b" * 4, {"nodes": {"a": SMALL, "b": SMALL}, "tensor": 8}, "it must span"),
        ("ab" * 4, {"nodes": {"a": SMALL, "b": SMALL}, "tensor": 4}, "vLLM sorts by node"),
        ("ab", {"strategy": "STRICT_SPREAD", "tensor": 2}, "two nodes were wanted"),
        ("ab", {"strategy": "SPREAD", "tensor": 2}, "two nodes were wished for"),
        ("ab", {"expected": 2, "tensor": 2}, "two nodes were allowed"),
    ],
)
def test_a_good_place(lies_on: str, options: dict[str, object], why: str) -> None:
    assert said(lies_on, **options) == [], why


@pytest.mark.parametrize(
    ("lies_on", "options", "message"),
    [
        pytest.param(
            "aaaabbbb",
            {"tensor": 8},
            "the 8 bundles lie on 2 node(s) (4 on 10.0.0.1, 4 on 10.0.0.2), and 1 would do: PACK "
            "uses more nodes when one has no room; STRICT_PACK waits for one node instead, or "
            "set preflight.nodes",
            id="PACK straddles two",
        ),
        pytest.param(
            "a" * 8 + "b" * 4 + "c" * 4,
            {"tensor": 8},
            "the 16 bundles lie on 3 node(s) (8 on 10.0.0.1, 4 on 10.0.0.2, 4 on c), and 2 would "
            "do: PACK uses more nodes when one has no room; free whole nodes, or set "
            "preflight.nodes",
            id="and three",
        ),
        pytest.param(
            "aaaa",
            {"expected": 2, "strategy": "SPREAD"},
            "the 4 bundles lie on 1 node(s) (4 on 10.0.0.1), and 2 is wanted (preflight.nodes): "
            "use STRICT_SPREAD, or another preflight.nodes",
            id="one where two are wanted",
        ),
        pytest.param(
            "aaaaaabb",
            {"nodes": {"a": {"CPU": 16, "GPU": 6}, "b": {"CPU": 16, "GPU": 6}}, "tensor": 4},
            "tensor-parallel ranks 4 to 7 lie on 10.0.0.1, 10.0.0.2, and one node could hold "
            "them: make tensor_parallel_size the GPUs of a node or a divisor, or use STRICT_PACK",
            id="as few nodes as can be, and a group over both",
        ),
    ],
)
def test_a_bad_place(lies_on: str, options: dict[str, object], message: str) -> None:
    assert said(lies_on, **options) == [message]


def test_the_node_of_the_engine_has_the_first_ranks() -> None:
    spread = Spread(gpus(4), "PACK", "abab", {"a": SMALL, "b": SMALL}, here="b")

    assert spread.rank_nodes == ["b", "b", "a", "a"]


def test_a_bundle_without_a_gpu_is_no_rank() -> None:
    spread = Spread([{"CPU": 4}, {"GPU": 1}], "PACK", "ab", {"a": NODE, "b": NODE}, here="a")

    assert spread.rank_nodes == ["b"]


@pytest.mark.parametrize(
    ("bundles", "nodes", "fewest"),
    [
        (gpus(8), [NODE, NODE], 1),
        (gpus(8), [{"CPU": 64}, SMALL, SMALL], 2),
        (gpus(12), [NODE, SMALL, SMALL], 2),
        ([], [NODE], 0),
    ],
)
def test_the_fewest_nodes_that_would_do(
    bundles: list[Resources], nodes: list[Resources], fewest: int
) -> None:
    known = {str(number): node for number, node in enumerate(nodes)}
    assert Spread(bundles, "PACK", [], known, "0").fewest == fewest
