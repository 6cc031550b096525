"""Which layouts are tried."""

from dataclasses import replace

import pytest

from serve_app.core.attention import GroupedHeads
from serve_app.core.layout import Hardware
from serve_app.core.shape import Experts, Shape
from serve_app.planning.layouts import layouts
from tests.core.v3 import H100, LLAMA_8B, TWO_NODES_OF_H100, V3, V4_FLASH, V32, node

THREE_KV_HEADS = replace(LLAMA_8B, attention=GroupedHeads(12, 3, 128))
FEW_EXPERTS = replace(V3, experts=Experts(4, 2, 1, 2048, 3))


@pytest.mark.parametrize(
    ("shape", "hardware", "there", "absent", "why"),
    [
        (V3, node(H100), {"TP8", "TP8 DCP8", "DP8", "TP2 DP4", "TP1"}, {"TP8 PP2"}, "one node"),
        (V3, TWO_NODES_OF_H100, {"TP8 PP2", "TP16", "DP16"}, set(), "both nodes"),
        (LLAMA_8B, node(H100), {"TP1", "TP8"}, {"DP8", "TP8 DCP2"}, "no experts, eight KV heads"),
        (LLAMA_8B, TWO_NODES_OF_H100, {"TP16"}, {"DP16"}, "two ranks share a KV head"),
        (V32, node(H100), {"TP8"}, {"TP8 DCP8"}, "sparse attention is not divided"),
        (V4_FLASH, node(H100), {"TP8"}, {"TP8 DCP8"}, "nor is compressed"),
        (V3, node(H100, 6), {"TP2"}, {"TP3", "TP6"}, "128 heads are not divided by 3"),
        (THREE_KV_HEADS, node(H100, 4), {"TP1"}, {"TP2", "TP4"}, "nor are 3 KV heads by 2"),
        (FEW_EXPERTS, node(H100), {"TP4"}, {"TP8"}, "no rank without an expert"),
    ],
)
def test_layouts(
    shape: Shape, hardware: Hardware, there: set[str], absent: set[str], why: str
) -> None:
    found = [str(layout) for layout in layouts(shape, hardware)]

    assert there <= set(found), why
    assert not absent & set(found), why
    assert len(found) == len(set(found))
