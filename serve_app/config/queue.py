"""Where requests wait, who is next, and how many run."""

from pydantic import Field

from serve_app.config.knobs import Knobs
from serve_app.core.autoscaling import Targets
from serve_app.core.queue import Bounds, Rules
from serve_app.core.request import Costs
from serve_app.core.tenant import Priority

DEFAULT = Targets()


class Shares(Knobs):
    """What a priority class gets at least, of the tokens, while a higher one waits too."""

    normal: float = Field(default=0.1, ge=0, le=0.5)
    """Least share of `normal` while `high` waits."""
    low: float = Field(default=0.02, ge=0, le=0.5)
    """Least share of `low` while anything else waits."""


class Queue(Knobs):
    """Where requests wait: in the gateway, bounded, tenant beside tenant."""

    max_requests: int = Field(default=1000, ge=1)
    """Waiting requests per model; one more is refused with 429 queue_full. Lower priorities do not
    count for a higher one."""
    max_tokens: int = Field(default=4_000_000, ge=0)
    """Waiting prompt plus output tokens per model, estimated."""
    tenant_share: float = Field(default=0.5, gt=0, le=1)
    """Part of both bounds that one tenant may fill."""
    deadline_s: float = Field(default=300.0, gt=0)
    """Longest wait, unless the client asks for less with x-request-timeout-seconds."""
    input_weight: float = Field(default=1.0, ge=0)
    """Cost of a prompt token that was not in the prefix cache, for fairness between tenants."""
    cached_weight: float = Field(default=0.1, ge=0)
    """Cost of a prompt token that was, for fairness and for tokens_per_min and tokens_per_day."""
    output_weight: float = Field(default=4.0, gt=0)
    """Cost of an output token, for fairness: it takes a decode step of its own."""
    shares: Shares = Shares()
    """What the lower priority classes get at least."""

    def to_core(self) -> Rules:
        return Rules(
            Bounds(self.max_requests, self.max_tokens, self.tenant_share),
            Costs(self.input_weight, self.cached_weight, self.output_weight),
            {Priority.NORMAL: self.shares.normal, Priority.LOW: self.shares.low},
        )


class Slots(Knobs):
    """How much runs on a replica."""

    expected_output_tokens: int = Field(default=512, ge=1)
    """Output of a typical request, until the gateway has seen enough of them to know."""
    kv_headroom: float = Field(default=0.05, ge=0, lt=1)
    """Part of a replica's KV cache that predictions leave free, for longer answers."""
    ttft_target_s: float = Field(default=2.0, gt=0)
    """Fewer requests are sent to a replica when its time to first token goes above this plus
    twice the request's own prefill; more again when it is below."""
    target_late: float = Field(default=DEFAULT.late, ge=0, lt=1)
    """With this share of late answers (see `slowdown`) a replica is full. When all are, requests on
    top go to one of them, so that the others stay in time; 0 spreads them over all."""
