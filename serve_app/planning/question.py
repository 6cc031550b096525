"""What somebody wants to know: a model, hardware, the load, and what is good enough."""

import math
from dataclasses import dataclass

from serve_app.core.layout import Hardware
from serve_app.core.roofline import Workload
from serve_app.planning.errors import PlanError
from serve_app.planning.model import Model
from serve_app.planning.objectives import Objectives

LONGEST_BY_DEFAULT = 65_536


@dataclass(frozen=True, slots=True)
class Question:
    """`concurrency` is of all replicas together; None asks for as much as meets the objectives."""

    model: Model
    hardware: Hardware
    context: int
    workload: Workload
    objectives: Objectives
    concurrency: int | None = None
    has_mtp: bool = False  # where the model has layers for it

    def sequences(self, replicas: int) -> float:
        """What one of `replicas` is to run at once."""
        return math.ceil(self.concurrency / replicas) if self.concurrency else math.inf


def context_of(asked: int | None, model: Model) -> int:
    """The longest sequence to plan for; raises `PlanError` for more than the model knows."""
    longest = model.shape.max_model_len
    if asked is None:
        return min(longest, LONGEST_BY_DEFAULT)
    if asked > longest:
        raise PlanError(f"--context {asked}: {model.name} goes to {longest}; ask for that or less")
    return asked
