"""How many replicas may be ordered at most, and what says so."""

import math
from dataclasses import dataclass

from serve_app.core.report import Load

CLOSE = 1e-9  # three replicas of 0.1 may cost 0.3


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Beside `max_replicas`. Costs are per hour, in any currency; infinite is no limit."""

    max_step: float = math.inf  # replicas that load at the same time
    replica_cost: float = 0.0
    max_cost: float = math.inf

    def of(self, load: Load) -> tuple[int, str]:
        """The lowest of all limits, and its name. What is ordered already is no step."""
        step = max(load.target, len(load.replicas) + self.max_step)
        paid = self.max_cost / self.replica_cost + CLOSE if self.replica_cost else math.inf
        limits = [
            (float(load.most), "max_replicas"),
            (paid, "max_cost_per_hour"),
            (step, "max_step"),
        ]
        most, name = min(limits)
        return int(most), name
