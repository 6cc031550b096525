"""Whether a replica has a place in the cluster, and who is in the way.

free for it = free now + held by what is about to go (its own predecessors among them)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serve_app.core.placement import Resources, fits, total

MOST_HOLDERS = 5  # named in a message
SHOWN = ("GPU", "CPU")


@dataclass(frozen=True, slots=True)
class Demand:
    """The bundles of one replica, and how they want to lie."""

    bundles: Sequence[Resources]
    strategy: str

    @property
    def lump(self) -> Resources:
        """The most that one node must hold."""
        if self.strategy == "STRICT_PACK":
            return total(self.bundles)
        return max(self.bundles, key=_size, default={})

    @property
    def names(self) -> list[str]:
        """The resources to speak of."""
        return [*SHOWN, *(name for name in total(self.bundles) if name not in SHOWN)]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster: all that it has, and what nobody holds."""

    id: str
    address: str
    total: Resources
    free: Resources


@dataclass(frozen=True, slots=True)
class Holder:
    """A placement group or an actor, and what it holds, by node id."""

    what: str
    on: Mapping[str, Resources]
    is_leaving: bool = False

    @property
    def held(self) -> Resources:
        return total(list(self.on.values()))


@dataclass(frozen=True, slots=True)
class NodeType:
    """What an autoscaler may start, and how many at most. Below 0: without limit."""

    resources: Resources
    most: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """`may_grow` where an autoscaler started nodes; few say by how much, in `types`. `coming` are
    words about nodes on their way, `waiting` about who else waits for room."""

    nodes: Sequence[Node]
    holders: Sequence[Holder] = ()
    types: Sequence[NodeType] = ()
    may_grow: bool = False
    coming: Sequence[str] = ()
    waiting: Sequence[str] = ()

    @property
    def totals(self) -> list[Resources]:
        return [node.total for node in self.nodes]

    @property
    def shapes(self) -> list[Resources]:
        """Every node that there is or may be."""
        return self.totals + [kind.resources for kind in self.types if kind.most]

    def free(self) -> list[Resources]:
        """By node, with what is about to be free."""
        leaving = [holder.on for holder in self.holders if holder.is_leaving]
        found = [
            total([node.free, *(on[node.id] for on in leaving if node.id in on)])
            for node in self.nodes
        ]
        # Ray counts in steps of 0.0001, and what it prints does not add up exactly.
        return [{name: round(amount, 4) for name, amount in node.items()} for node in found]


def obstacle(demand: Demand, cluster: Cluster) -> str:
    """Why one replica cannot be placed, in lines; empty when it can, or an autoscaler will see
    to it."""
    if fits(demand.bundles, demand.strategy, cluster.free()):
        return ""
    if cluster.types:
        grown = cluster.totals + _added(cluster.types, len(demand.bundles))
        if fits(demand.bundles, demand.strategy, grown):
            return ""
        return _lines("does not fit, even if the autoscaler starts all it may", demand, cluster)
    if cluster.may_grow:
        return ""
    if fits(demand.bundles, demand.strategy, cluster.totals):
        return _lines("does not fit beside what this cluster holds already", demand, cluster)
    return _lines("does not fit this cluster, and no autoscaler makes it grow", demand, cluster)


def words(resources: Resources, names: Iterable[str] = SHOWN) -> str:
    """Amounts with their names.

    >>> words({"GPU": 8, "CPU": 12.5})
    '8 GPU, 12.5 CPU'
    """
    return ", ".join(f"{resources.get(name, 0):g} {name}" for name in names)


def _added(types: Sequence[NodeType], bundles: int) -> list[Resources]:
    """As many nodes of each type as could be of use."""
    return [
        kind.resources
        for kind in types
        for _ in range(bundles if kind.most < 0 else min(bundles, kind.most))
    ]


def _lines(headline: str, demand: Demand, cluster: Cluster) -> str:
    names = demand.names
    has, free = total(cluster.totals), total([node.free for node in cluster.nodes])
    needs, count = words(total(demand.bundles), names), len(demand.bundles)
    nodes, left = len(cluster.nodes), words(free, names)
    lines = [
        f"{headline}.",
        f"needs: {needs} per replica, as {count} bundles, {demand.strategy}",
        f"ray status has: {words(has, names)} on {nodes} node(s), free: {left}",
    ]
    lines += _lump_lines(demand, cluster)
    lines += _holder_lines(demand, cluster)
    lines += [f"coming: {'; '.join(cluster.coming)}"] if cluster.coming else []
    lines += [f"waiting too: {'; '.join(cluster.waiting)}"] if cluster.waiting else []
    return "\n  ".join(lines)


def _lump_lines(demand: Demand, cluster: Cluster) -> list[str]:
    """What no node could hold, however empty."""
    lump, shapes = demand.lump, cluster.shapes
    if fits([lump], "PACK", shapes):
        return []
    largest = words(max(shapes, key=_size, default={}), demand.names)
    one = "all bundles" if demand.strategy == "STRICT_PACK" else "the largest bundle"
    return [f"on one node: {words(lump, demand.names)} ({one}); the largest has {largest}"]


def _holder_lines(demand: Demand, cluster: Cluster) -> list[str]:
    """Who holds what is short, the largest first."""
    short = _short(demand, cluster)
    holders = [holder for holder in cluster.holders if not holder.is_leaving]
    holders = [h for h in holders if any(h.held.get(name, 0) for name in short)]
    holders.sort(key=lambda holder: _size(holder.held), reverse=True)
    addresses = {node.id: node.address for node in cluster.nodes}
    lines = [
        f"held: {words(_only(on, short), _only(on, short))} on {addresses.get(id_, id_)} "
        f"by {holder.what}"
        for holder in holders[:MOST_HOLDERS]
        for id_, on in holder.on.items()
        if _only(on, short)
    ]
    more = len(holders) - MOST_HOLDERS
    return lines + ([f"held: and by {more} more; see `ray status -v`"] if more > 0 else [])


def _short(demand: Demand, cluster: Cluster) -> list[str]:
    """The resources of which there would be enough if nobody held any; all, if none is alone."""
    free = cluster.free()
    needed = total(demand.bundles)
    short = [
        name
        for name in needed
        if not fits([{name: b[name]} for b in demand.bundles if name in b], demand.strategy, free)
    ]
    return short or list(needed)


def _only(resources: Resources, names: Sequence[str]) -> dict[str, float]:
    return {name: resources[name] for name in names if resources.get(name)}


def _size(resources: Resources) -> tuple[float, float]:
    return resources.get("GPU", 0), sum(resources.values())
