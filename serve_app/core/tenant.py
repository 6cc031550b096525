"""Who asks: a tenant's weight against others, its highest priority, and what it may use."""

from dataclasses import dataclass
from enum import IntEnum

ANONYMOUS = "anonymous"
"""The tenant of requests without a key, where those are let in."""


class Priority(IntEnum):
    """Classes of requests; a smaller number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much at most, over all gateways together; None is unlimited."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """What the operator says of a tenant."""

    name: str
    weight: float = 1.0
    ceiling: Priority = Priority.NORMAL
    models: frozenset[str] = frozenset()  # empty is all
    limits: RateLimits = RateLimits()
    is_operator: bool = False

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models

    def priority(self, asked: Priority) -> Priority:
        """What a request gets that asks for `asked`: no more than the ceiling."""
        return max(asked, self.ceiling)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose request it is: a tenant, and the key that said so (its public id; "" for none)."""

    tenant: Tenant
    key_id: str = ""
    key_limits: RateLimits = RateLimits()
