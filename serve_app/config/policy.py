"""The autoscaling policy."""

from pydantic import Field

from serve_app.config.knobs import Knobs


class PolicyKnobs(Knobs):
    """`policy_kwargs` of `serve_app.serving.autoscaler:ScaleOnQueueDepth`."""

    target_usage: float = Field(default=0.8, gt=0, le=1)
    """Share of a replica's slots that should be in use; what is left absorbs bursts."""
    max_age_s: float = Field(default=5.0, gt=0)
    """Older numbers count as no data: the policy holds what there is."""
