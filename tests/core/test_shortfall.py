"""What is said of an order that is not filled."""

import pytest

from serve_app.core.shortfall import Ordered, shortfall

ONE = [{"CPU": 4.0}]
NODE = [{"CPU": 12.0, "GPU": 1.0}, *[{"GPU": 1.0}] * 7]
FREE = [{"CPU": 1.0, "GPU": 3.0}, {"CPU": 0.5, "GPU": 6.0}, {}]


@pytest.mark.parametrize(
    ("ordered", "said"),
    [
        (Ordered(2, 2, 0, ONE), ""),
        (Ordered(1, 2, 0, ONE), ""),  # one of them is about to leave
        (Ordered(1, 0, 1, ONE), "wants 1 replica, 0 serve, 1 loads"),
        (
            Ordered(3, 2, 0, ONE),
            "wants 3 replicas, 2 serve, 1 waits for 4 CPU while no node has more than 1 CPU free",
        ),
    ],
)
def test_what_is_wanted_and_what_is_missing(ordered: Ordered, said: str) -> None:
    assert shortfall(ordered, FREE) == said


def test_what_lies_on_one_node_waits_for_one_node() -> None:
    said = shortfall(Ordered(5, 1, 2, NODE, "STRICT_PACK"), FREE)

    assert said.startswith("wants 5 replicas, 1 serves, 2 load, 2 wait for 12 CPU and 8 GPU while")
    assert said.endswith("no node has more than 1 CPU and 6 GPU free")


def test_what_may_lie_anywhere_waits_for_the_cluster() -> None:
    said = shortfall(Ordered(2, 1, 0, NODE), FREE)

    assert said.endswith(
        "1 waits for 12 CPU and 8 GPU while the cluster has 1.5 CPU and 9 GPU free"
    )


def test_a_cluster_without_a_node_has_nothing_free() -> None:
    assert shortfall(Ordered(1, 0, 0, ONE), []).endswith("no node has more than 0 CPU free")
