"""Whether bundles can be placed on the nodes that there are.

A placement group asks for bundles of resources; each bundle lies on one node. The
strategies are Ray's: STRICT_PACK wants one node for all of them, STRICT_SPREAD a node for
each; PACK and SPREAD are wishes and place wherever there is room.
"""

from collections.abc import Mapping, Sequence

Resources = Mapping[str, float]


def total(bundles: Sequence[Resources]) -> dict[str, float]:
    """The sum of the bundles, by resource.

    >>> total([{"CPU": 1, "GPU": 1}, {"GPU": 1}])
    {'CPU': 1, 'GPU': 2}
    """
    summed: dict[str, float] = {}
    for bundle in bundles:
        for name, amount in bundle.items():
            summed[name] = summed.get(name, 0) + amount
    return summed


def fits(bundles: Sequence[Resources], strategy: str, nodes: Sequence[Resources]) -> bool:
    """Whether `nodes`, empty, could hold the bundles.

    First fit, largest first: exact for the equal bundles that engines ask for.
    """
    if strategy == "STRICT_PACK":
        bundles = [total(bundles)]
    free = [dict(node) for node in nodes]
    for bundle in sorted(bundles, key=lambda b: (b.get("GPU", 0), sum(b.values())), reverse=True):
        node = next((node for node in free if _holds(node, bundle)), None)
        if node is None:
            return False
        for name, amount in bundle.items():
            node[name] -= amount
        if strategy == "STRICT_SPREAD":
            free.remove(node)
    return True


def _holds(node: Resources, bundle: Resources) -> bool:
    return all(node.get(name, 0) >= amount for name, amount in bundle.items())
