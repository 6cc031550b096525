"""How the slots of one replica are divided between gateways.

A gateway sees its own requests end at once, and what others run as of the last beat. Each
would fill what it sees free: too much when all begin, and later whoever is asked more often
would take it all. So the replica, which hears from all of them, gives each a quota:

    class by class, the highest first, the same to each gateway until it has what it wants

and of what nobody wants, an even part. What runs wants to go on, whatever its class was. A
quota is a little more than the part, so that more may run where more fits; and at least 1,
or whoever comes to an idle gateway would wait for a beat.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GROWTH = 1.1
RUNNING_AS = 1  # of the classes: normal


@dataclass(frozen=True, slots=True)
class Demand:
    """Of one gateway, in sequences: what it runs here, and what waits in it by class."""

    running: int
    waiting: Sequence[int]

    def of_class(self, priority: int) -> int:
        running = self.running if priority == RUNNING_AS else 0
        return self.waiting[priority] + running


def quotas(slots: int, demands: Mapping[str, Demand]) -> dict[str, int] | None:
    """Sequences that each gateway may run; None where there is one gateway."""
    if len(demands) < 2:
        return None
    left = float(max(slots, sum(demand.running for demand in demands.values())))
    parts = dict.fromkeys(demands, 0.0)
    for priority in range(len(next(iter(demands.values())).waiting)):
        wanted = {name: float(demand.of_class(priority)) for name, demand in demands.items()}
        for name, part in _evenly(left, wanted).items():
            parts[name] += part
            left -= part
    spare = left / len(demands)
    return {name: max(1, math.ceil(GROWTH * (part + spare))) for name, part in parts.items()}


def _evenly(amount: float, wanted: Mapping[str, float]) -> dict[str, float]:
    """`amount` divided so that nobody gets more than wanted, or more than one who wants more."""
    parts = {}
    for rank, name in enumerate(sorted(wanted, key=lambda name: wanted[name])):
        parts[name] = min(wanted[name], amount / (len(wanted) - rank))
        amount -= parts[name]
    return parts
