"""The autoscaling policy."""

import math
from typing import Self

from pydantic import Field, model_validator

from serve_app.config.knobs import Knobs
from serve_app.core.autoscaling import Targets
from serve_app.core.ceiling import Ceiling

DEFAULT = Targets()


class PolicyKnobs(Knobs):
    """`policy_kwargs` of `serve_app.serving.autoscaler:ScaleOnQueueDepth`."""

    target_late: float = Field(default=DEFAULT.late, gt=0, lt=1)
    """Share of answers whose tokens may take longer than `slowdown` says."""
    margin: float = Field(default=DEFAULT.margin, ge=0)
    """For what may come: × √peak × (1 + (load time ÷ 340 s)^1.5) replicas beyond it, or more."""
    load_time_s: float = Field(default=DEFAULT.load_s, gt=0)
    """From order to first request, until a replica of this deployment has said how long."""
    drain_s: float = Field(default=DEFAULT.drain_s, gt=0)
    """What waits when new replicas serve should be gone so long after."""
    burst_window_s: float = Field(default=DEFAULT.burst_s, gt=0)
    """What is needed now is a mean over so long."""
    calm_window_s: float = Field(default=DEFAULT.calm_s, gt=0)
    """The peak is one of means over so long."""
    stabilization_s: float = Field(default=DEFAULT.stabilization_s, ge=0)
    """Replicas are kept that were needed within so long, and `keep_load_times` × the load time."""
    keep_load_times: float = Field(default=DEFAULT.keep, ge=0)
    """A replica that is let go takes one of them to come back. As long after a restart, too."""
    max_age_s: float = Field(default=DEFAULT.max_age_s, gt=0)
    """Older numbers count as no data: the policy holds what there is."""
    max_step: int | None = Field(default=None, ge=1)
    """Replicas that may load at the same time."""
    cost_per_replica_hour: float | None = Field(default=None, gt=0)
    """In any currency; for `max_cost_per_hour`."""
    max_cost_per_hour: float | None = Field(default=None, gt=0)
    """What all replicas together may cost; `min_replicas` are kept all the same."""

    @model_validator(mode="after")
    def _costs_go_together(self) -> Self:
        if self.max_cost_per_hour is not None and self.cost_per_replica_hour is None:
            raise ValueError("max_cost_per_hour needs cost_per_replica_hour, in the same currency")
        return self

    def to_core(self) -> Targets:
        return Targets(
            late=self.target_late,
            margin=self.margin,
            load_s=self.load_time_s,
            drain_s=self.drain_s,
            burst_s=self.burst_window_s,
            calm_s=self.calm_window_s,
            stabilization_s=self.stabilization_s,
            keep=self.keep_load_times,
            max_age_s=self.max_age_s,
            ceiling=Ceiling(
                max_step=self.max_step or math.inf,
                replica_cost=self.cost_per_replica_hour or 0.0,
                max_cost=self.max_cost_per_hour or math.inf,
            ),
        )
