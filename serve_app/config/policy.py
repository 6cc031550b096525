"""The autoscaling policy."""

from pydantic import Field

from serve_app.config.knobs import Knobs
from serve_app.core.autoscaling import Targets

DEFAULT = Targets()


class PolicyKnobs(Knobs):
    """`policy_kwargs` of `serve_app.serving.autoscaler:ScaleOnQueueDepth`."""

    target_usage: float = Field(default=DEFAULT.usage, gt=0, le=1)
    """Share of what a replica carries that should be in use; what is left absorbs bursts."""
    slowdown: float = Field(default=DEFAULT.slowdown, gt=1)
    """How many times as long as alone a token may take on a replica that is full."""
    caution: float = Field(default=DEFAULT.caution, gt=0, lt=1)
    """Share of the past hour's growth, over the time that a replica loads, to be ready for."""
    load_time_s: float = Field(default=DEFAULT.load_s, gt=0)
    """From order to first request, until a replica of this deployment has said how long."""
    drain_s: float = Field(default=DEFAULT.drain_s, gt=0)
    """What waits when new replicas serve should be gone so long after."""
    burst_window_s: float = Field(default=DEFAULT.burst_s, gt=0)
    """Load is a mean over so long; what arrives, too, while requests wait."""
    calm_window_s: float = Field(default=DEFAULT.calm_s, gt=0)
    """What arrives is a mean over so long while nothing waits."""
    stabilization_s: float = Field(default=DEFAULT.stabilization_s, ge=0)
    """Replicas are kept that were needed within so long, and so long after a restart."""
    max_age_s: float = Field(default=DEFAULT.max_age_s, gt=0)
    """Older numbers count as no data: the policy holds what there is."""

    def to_core(self) -> Targets:
        return Targets(
            usage=self.target_usage,
            slowdown=self.slowdown,
            caution=self.caution,
            load_s=self.load_time_s,
            drain_s=self.drain_s,
            burst_s=self.burst_window_s,
            calm_s=self.calm_window_s,
            stabilization_s=self.stabilization_s,
            max_age_s=self.max_age_s,
        )
