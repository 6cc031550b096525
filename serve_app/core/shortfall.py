"""Why there are fewer replicas than were ordered, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.core.placement import Resources, total


@dataclass(frozen=True, slots=True)
class Ordered:
    """The replicas of a deployment: `wanted` were ordered, of which some serve, some load, and
    the others have no place yet. Each needs `bundles`."""

    wanted: int
    serving: int
    loading: int
    bundles: Sequence[Resources]
    strategy: str = "PACK"


def shortfall(ordered: Ordered, free: Sequence[Resources]) -> str:
    """Empty when all that were ordered serve; `free` is what each node has left.

    >>> shortfall(Ordered(3, serving=1, loading=1, bundles=[{"CPU": 4}]), [{"CPU": 1}])
    'wants 3 replicas, 1 serves, 1 loads, 1 waits for 4 CPU while no node has more than 1 CPU free'
    """
    if ordered.serving >= ordered.wanted:
        return ""
    unplaced = ordered.wanted - ordered.serving - ordered.loading
    said = [f"wants {ordered.wanted} replica{'s' * (ordered.wanted != 1)}"]
    said.append(_verb(ordered.serving, "serve"))
    if ordered.loading > 0:
        said.append(_verb(ordered.loading, "load"))
    if unplaced > 0:
        said.append(f"{_verb(unplaced, 'wait')} for {_place(ordered, free)}")
    return ", ".join(said)


def _verb(number: int, verb: str) -> str:
    return f"{number} {verb}{'s' * (number == 1)}"


def _place(ordered: Ordered, free: Sequence[Resources]) -> str:
    needed = total(ordered.bundles)
    if len(ordered.bundles) > 1 and ordered.strategy != "STRICT_PACK":
        left = {name: sum(node.get(name, 0) for node in free) for name in needed}
        return f"{_words(needed)} while the cluster has {_words(left)} free"
    left = {name: max((node.get(name, 0) for node in free), default=0) for name in needed}
    return f"{_words(needed)} while no node has more than {_words(left)} free"


def _words(resources: Resources) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in resources.items())
