"""Whether a replica has a place, and what is said when it has none."""

import pytest

from serve_app.core.placement import Resources
from serve_app.core.preflight.cluster import Cluster, Demand, Holder, Node, NodeType, obstacle

GPU_NODE = {"CPU": 16, "GPU": 8}
RANKS = Demand([{"CPU": 4, "GPU": 1}, *[{"GPU": 1}] * 7], "STRICT_PACK")
LAPTOP = {"CPU": 2}


def node(total: Resources, free: Resources | None = None, name: str = "a") -> Node:
    return Node(name, f"10.0.0.{name}", total, total if free is None else free)


TRAINING = Holder("placement group training (0ffd)", {"a": {"GPU": 3, "CPU": 1}})
OLD_SELF = Holder("application deepseek", {"a": {"GPU": 8, "CPU": 4}}, is_leaving=True)


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster([node(GPU_NODE)]), "an empty node holds it"),
        (Cluster([node(GPU_NODE, {"CPU": 12}, "a")], [OLD_SELF]), "its predecessor goes"),
        (Cluster([node(LAPTOP)], types=[NodeType(GPU_NODE, 1)]), "the autoscaler may start one"),
        (Cluster([], types=[NodeType(GPU_NODE, -1)]), "or as many as it likes"),
        (Cluster([node(LAPTOP)], may_grow=True), "or does not say what it may start"),
        (
            Cluster([node(GPU_NODE, {"CPU": 9, "GPU": 5})], types=[NodeType(GPU_NODE, 1)]),
            "or sees to it that others go elsewhere",
        ),
    ],
)
def test_nothing_is_in_the_way(cluster: Cluster, why: str) -> None:
    assert obstacle(RANKS, cluster) == "", why


@pytest.mark.parametrize(
    ("demand", "cluster", "sentences", "silent"),
    [
        pytest.param(
            RANKS,
            Cluster([node(LAPTOP)]),
            [
                "does not fit this cluster, and no autoscaler makes it grow",
                "needs: 8 GPU, 4 CPU per replica, as 8 bundles, STRICT_PACK",
                "ray status has: 0 GPU, 2 CPU on 1 node(s), free: 0 GPU, 2 CPU",
                "on one node: 8 GPU, 4 CPU (all bundles); the largest has 0 GPU, 2 CPU",
            ],
            ["held", "coming", "waiting"],
            id="a laptop",
        ),
        pytest.param(
            RANKS,
            Cluster([node({"CPU": 8, "GPU": 4}), node({"CPU": 8, "GPU": 4}, name="b")]),
            ["on one node: 8 GPU, 4 CPU (all bundles); the largest has 4 GPU, 8 CPU"],
            [],
            id="eight GPUs, on no one node",
        ),
        pytest.param(
            Demand([{"GPU": 8}], "PACK"),
            Cluster([node({"CPU": 8, "GPU": 4})]),
            ["on one node: 8 GPU, 0 CPU (the largest bundle)"],
            [],
            id="a bundle larger than a node",
        ),
        pytest.param(
            RANKS,
            Cluster([node(GPU_NODE, {"CPU": 15, "GPU": 5})], [TRAINING]),
            [
                "does not fit beside what this cluster holds already",
                "free: 5 GPU, 15 CPU",
                "held: 3 GPU on 10.0.0.a by placement group training (0ffd)",
            ],
            ["on one node", "1 CPU on"],
            id="held by another, of whom only what is short is told",
        ),
        pytest.param(
            RANKS,
            Cluster(
                [node(LAPTOP)],
                types=[NodeType({"CPU": 8, "GPU": 4}, 10), NodeType(GPU_NODE, 0)],
                coming=["2 small starting"],
                waiting=["placement group other (4 GPU)"],
            ),
            [
                "does not fit, even if the autoscaler starts all it may",
                "the largest has 4 GPU, 8 CPU",
                "coming: 2 small starting",
                "waiting too: placement group other (4 GPU)",
            ],
            ["held"],
            id="no type of node is large enough, and of the one that is there may be none",
        ),
        pytest.param(
            Demand([{"GPU": 1, "license": 2}], "PACK"),
            Cluster([node({"GPU": 1, "license": 1})]),
            ["needs: 1 GPU, 0 CPU, 2 license", "ray status has: 1 GPU, 0 CPU, 1 license"],
            [],
            id="a resource with a name of one's own",
        ),
        pytest.param(
            RANKS, Cluster([]), ["on 0 node(s)", "the largest has 0 GPU, 0 CPU"], [], id="no node"
        ),
        pytest.param(
            Demand([{"CPU": 2, "GPU": 1}], "PACK"),
            Cluster(
                [
                    node({"CPU": 2, "GPU": 1}, {"CPU": 2}),
                    node({"CPU": 2, "GPU": 1}, {"GPU": 1}, name="b"),
                ],
                [Holder("actor x", {"a": {"GPU": 1}}), Holder("actor y", {"b": {"CPU": 2}})],
            ),
            ["held: 1 GPU on 10.0.0.a by actor x", "held: 2 CPU on 10.0.0.b by actor y"],
            [],
            id="enough of each, together on no node",
        ),
    ],
)
def test_an_obstacle_is_described(
    demand: Demand, cluster: Cluster, sentences: list[str], silent: list[str]
) -> None:
    said = obstacle(demand, cluster)
    assert [s for s in sentences if s not in said] == [], said
    assert [s for s in silent if s in said] == [], said


def test_of_many_holders_the_largest_are_named() -> None:
    many = [Holder(f"actor {n}", {"a": {"GPU": n / 10}}) for n in range(1, 8)]
    said = obstacle(RANKS, Cluster([node(GPU_NODE, {"CPU": 16, "GPU": 5})], many))

    assert said.count("held: ") == 6
    assert said.index("actor 7") < said.index("actor 3")
    assert "and by 2 more; see `ray status -v`" in said


def test_a_holder_on_a_node_that_is_gone_is_named_by_its_id() -> None:
    gone = Holder("actor x", {"z": {"GPU": 3}})
    said = obstacle(RANKS, Cluster([node(GPU_NODE, {"CPU": 16, "GPU": 5})], [gone]))

    assert "held: 3 GPU on z by actor x" in said
