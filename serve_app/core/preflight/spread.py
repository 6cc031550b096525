"""Where the bundles of a replica have come to lie, against where they should.

PACK is a wish: Ray uses further nodes when the first has no room (ray#59547). An engine then
runs, slowly, because ranks that speak at every layer speak over a network. Ranks of one
tensor-parallel group are neighbours: rank r is in group r // tensor_parallel_size. vLLM gives
the bundles to ranks by node, the engine's node first (vllm/v1/executor/ray_utils.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serve_app.core.placement import Resources
from serve_app.core.preflight.finding import Finding, Findings

WISHES = ("PACK", "STRICT_PACK")  # the others spread on purpose


@dataclass(frozen=True, slots=True)
class Spread:
    """`lies_on` has the node of each bundle, `nodes` all that each node of the cluster has;
    `here` is the node of the engine. A rank takes one bundle of those with a `rank_resource`."""

    bundles: Sequence[Resources]
    strategy: str
    lies_on: Sequence[str]
    nodes: Mapping[str, Resources]
    here: str
    rank_resource: str = "GPU"

    @property
    def rank_nodes(self) -> list[str]:
        """The node of each rank."""
        taking = zip(self.bundles, self.lies_on, strict=True)
        found = [node for bundle, node in taking if bundle.get(self.rank_resource)]
        return sorted(found, key=lambda node: (node != self.here, node))

    @property
    def used(self) -> Mapping[str, int]:
        """How many bundles lie on each node."""
        return Counter(self.lies_on)

    @property
    def fewest(self) -> int:
        """The number of nodes that would do, were they empty: the largest are filled first."""
        left, count = list(self.bundles), 0
        for node in sorted(self.nodes.values(), key=_size, reverse=True):
            rest = _rest(left, node)
            if left and len(rest) < len(left):
                left, count = rest, count + 1
        return count


def spread_findings(
    spread: Spread,
    *,
    tensor: int,
    ranks: int,
    expected: int | None,
    names: Mapping[str, str],
) -> Findings:
    """What is wrong with where the bundles lie. `expected` is how many nodes somebody wants,
    None the fewest that could do; `names` are what people call nodes."""
    if expected is None and spread.strategy not in WISHES:
        return
    wanted = expected or spread.fewest
    used = spread.used
    if len(used) != wanted:
        lie = ", ".join(f"{count} on {names.get(node, node)}" for node, count in used.items())
        message = (
            f"the {len(spread.bundles)} bundles lie on {len(used)} node(s) ({lie}), and "
            f"{wanted} {_source(expected)}: {_advice(len(used), wanted, spread.strategy)}"
        )
        yield Finding("placement", message)
    elif expected is None:
        yield from _group_findings(spread, tensor=tensor, ranks=ranks, names=names)


def _group_findings(
    spread: Spread, *, tensor: int, ranks: int, names: Mapping[str, str]
) -> Findings:
    """Tensor-parallel groups over more nodes than they must be on."""
    at = spread.rank_nodes[:ranks]
    most = max(Counter(at).values(), default=1)
    needed = -(-tensor // most)
    for first in range(0, len(at), tensor):
        group = dict.fromkeys(at[first : first + tensor])
        if len(group) > needed:
            said = ", ".join(names.get(node, node) for node in group)
            message = (
                f"tensor-parallel ranks {first} to {first + tensor - 1} lie on {said}, and one "
                "node could hold them: make tensor_parallel_size the GPUs of a node or a divisor, "
                "or use STRICT_PACK"
            )
            yield Finding("placement", message)
            return


def _source(expected: int | None) -> str:
    return "would do" if expected is None else "is wanted (preflight.nodes)"


def _advice(used: int, wanted: int, strategy: str) -> str:
    if used < wanted:
        return "use STRICT_SPREAD, or another preflight.nodes"
    other = "STRICT_PACK waits for one node instead" if wanted == 1 else "free whole nodes"
    return f"{strategy} uses more nodes when one has no room; {other}, or set preflight.nodes"


def _rest(bundles: Sequence[Resources], node: Resources) -> list[Resources]:
    """What is left when `node` has taken all that it can."""
    free, rest = dict(node), []
    for bundle in sorted(bundles, key=_size, reverse=True):
        if all(free.get(name, 0) >= amount for name, amount in bundle.items()):
            for name, amount in bundle.items():
                free[name] -= amount
        else:
            rest.append(bundle)
    return rest


def _size(resources: Resources) -> tuple[float, float]:
    return resources.get("GPU", 0), sum(resources.values())
