"""Who downloads, who copies, and who needs nothing."""

import pytest

from serve_app.prefetch.spread import Found, Spread, decide


def has(node: str, disk: str = "") -> Found:
    return Found(node, disk or node, is_whole=True, free_bytes=0)


def lacks(node: str, disk: str = "", free: int = 10) -> Found:
    return Found(node, disk or node, is_whole=False, free_bytes=free)


@pytest.mark.parametrize(
    ("found", "spread"),
    [
        pytest.param([has("a")], Spread("a", False, (), (), ()), id="it is where it should be"),
        pytest.param([lacks("a")], Spread("a", True, (), (), ()), id="one node downloads"),
        pytest.param(
            [lacks("a"), lacks("b", free=11), lacks("c")],
            Spread("b", True, ("a", "c"), (), ()),
            id="the one with the most room downloads, and gives to the others",
        ),
        pytest.param(
            [lacks("a", free=99), has("b"), has("c")],
            Spread("b", False, ("a",), ("c",), ()),
            id="nobody downloads what a node has",
        ),
        pytest.param(
            [lacks("a", "nfs"), lacks("b", "nfs"), lacks("c")],
            Spread("a", True, ("c",), (), (("b", "a"),)),
            id="a disk of two nodes is filled once",
        ),
    ],
)
def test_one_download_at_most_and_one_copy_for_each_other_disk(
    found: list[Found], spread: Spread
) -> None:
    assert decide(found) == spread
