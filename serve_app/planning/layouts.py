"""The layouts of a model on some hardware that vLLM would start."""

from collections.abc import Iterator

from serve_app.core.attention import GroupedHeads, Latent
from serve_app.core.layout import Hardware, Layout
from serve_app.core.shape import Shape


def layouts(shape: Shape, hardware: Hardware) -> Iterator[Layout]:
    """On one GPU up to all of a node, then on whole nodes; no layout twice."""
    found = [*_on_a_node(shape, hardware.gpus_per_node), *_on_nodes(shape, hardware)]
    return (layout for layout in dict.fromkeys(found) if _starts(shape, layout))


def _on_a_node(shape: Shape, most: int) -> Iterator[Layout]:
    for ranks in range(1, most + 1):
        if most % ranks:
            continue
        yield Layout(tensor=ranks)
        yield from (Layout(tensor=ranks, decode_context=n) for n in _shards(shape, ranks))
        yield from _with_data_ranks(shape, ranks)


def _on_nodes(shape: Shape, hardware: Hardware) -> Iterator[Layout]:
    """Tensor ranks inside a node and a stage per node; or everything across nodes."""
    per_node = hardware.gpus_per_node
    for nodes in range(2, hardware.nodes + 1):
        yield Layout(tensor=per_node, pipeline=nodes)
        yield from (
            Layout(tensor=per_node, pipeline=nodes, decode_context=n)
            for n in _shards(shape, per_node)
        )
        yield Layout(tensor=per_node * nodes)
        yield from _with_data_ranks(shape, per_node * nodes)


def _with_data_ranks(shape: Shape, ranks: int) -> Iterator[Layout]:
    """Attention divided by requests, experts by all ranks; without experts it is two engines."""
    if shape.experts:
        yield from (
            Layout(tensor=tensor, data=ranks // tensor)
            for tensor in (1, 2, 4)
            if ranks > tensor and ranks % tensor == 0
        )


def _shards(shape: Shape, tensor: int) -> Iterator[int]:
    """Decode context sizes: as many ranks as would otherwise cache the same."""
    copies, attention = 1, shape.attention
    if isinstance(attention, GroupedHeads):
        copies = tensor // attention.kv_heads
    elif isinstance(attention, Latent) and not attention.indexer:  # sparse ones are not divided
        copies = tensor
    yield from (n for n in (2, 4, 8, 16) if n <= copies and copies % n == 0)


def _starts(shape: Shape, layout: Layout) -> bool:
    """What vLLM refuses: heads, widths, layers that cannot be divided."""
    divided = [shape.attention.heads, *([shape.width] if shape.dense_layers else [])]
    if shape.experts and layout.expert_ranks > shape.experts.routed:
        return False
    if isinstance(shape.attention, GroupedHeads):
        few, many = sorted((shape.attention.kv_heads, layout.tensor))
        if many % few:  # each rank has as many KV heads, or each head is on as many ranks
            return False
    return shape.layers >= layout.pipeline and not any(n % layout.tensor for n in divided)
