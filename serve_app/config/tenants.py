"""Who may ask for what: authentication, and a tenant's weight, priority and limits."""

from typing import Annotated, Literal

from pydantic import Field

from serve_app.config.knobs import Knobs
from serve_app.core import tenant as core

TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""It labels metrics."""


class Auth(Knobs):
    """Where API keys come from. Only hashes are stored; `serve-app keys create` makes keys."""

    keys_file: str = ""
    """A YAML file on every node that runs a gateway; read again when it changes."""
    keys_env: str = "SERVE_APP_KEYS"
    """An environment variable of the gateway with the same YAML; read when it starts."""
    reload_interval_s: float = Field(default=2.0, gt=0)
    """How often the file is looked at; a revoked key stops working within this time."""


class RateLimits(Knobs):
    """How much at most, over all gateways together. Unset is unlimited."""

    requests_per_min: int | None = Field(default=None, ge=1)
    """Requests; the bucket holds one minute's worth."""
    tokens_per_min: int | None = Field(default=None, ge=1)
    """Prompt plus output tokens: reserved from an estimate, settled on what was used."""
    tokens_per_day: int | None = Field(default=None, ge=1)
    """The same over a day, refilled continuously."""
    concurrent: int | None = Field(default=None, ge=1)
    """Requests that wait or run at once; every gateway allows at least one."""

    def to_core(self) -> core.RateLimits:
        return core.RateLimits(**self.model_dump())


class TenantKnobs(Knobs):
    """One tenant; keys name it."""

    weight: float = Field(default=1.0, gt=0, le=1000)
    """Its share of the tokens, against other tenants of the same priority that wait too."""
    priority: Literal["high", "normal", "low"] = "normal"
    """The highest priority that it may ask for with x-priority, which defaults to normal."""
    models: tuple[str, ...] = ()
    """Model names that it may use; empty is all."""
    limits: RateLimits = RateLimits()
    """How much at most, all keys of the tenant together."""
    operator: bool = False
    """Its keys may read /metrics, which shows every tenant's numbers."""
    note: str = ""
    """For whoever reads this file."""

    def to_core(self, name: str) -> core.Tenant:
        return core.Tenant(
            name,
            weight=self.weight,
            ceiling=core.Priority[self.priority.upper()],
            models=frozenset(self.models),
            limits=self.limits.to_core(),
            is_operator=self.operator,
        )
