"""Who gives a model to whom. Decides; `run` acts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """What one node has. Nodes with the same `disk` share their cache folder."""

    node: str
    disk: str
    is_whole: bool
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Spread:
    """`source` gives to `targets`; it has the model, or `downloads` it first. `holders` have it
    too. `sharers` need nothing: each sees the disk of another node."""

    source: str
    downloads: bool
    targets: tuple[str, ...]
    holders: tuple[str, ...]
    sharers: tuple[tuple[str, str], ...]


def decide(found: Sequence[Found]) -> Spread:
    """One download at most, by the node with the most room, and one copy for each other disk."""
    first: dict[str, Found] = {}
    for each in found:
        first.setdefault(each.disk, each)
    disks = list(first.values())
    holders = [each for each in disks if each.is_whole]
    source = holders[0] if holders else max(disks, key=lambda each: each.free_bytes)
    return Spread(
        source=source.node,
        downloads=not holders,
        targets=tuple(d.node for d in disks if not d.is_whole and d is not source),
        holders=tuple(d.node for d in holders if d is not source),
        sharers=tuple((f.node, first[f.disk].node) for f in found if f not in disks),
    )
