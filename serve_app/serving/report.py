"""What gateways and replicas tell each other on every beat."""

from dataclasses import dataclass, field

from serve_app.core.routing import Replica
from serve_app.engine.protocol import Capacity, EngineStats, Model


@dataclass(frozen=True, slots=True)
class Beat:
    """Gateway → replica: how much waits there for this application."""

    gateway: str
    depth: int
    depth_tokens: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica's channel listens, and the secret that opens it."""

    host: str
    port: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """Replica → gateway. `running` is sequences by gateway, as this replica counts them."""

    replica: str
    channel: Address
    model: Model
    capacity: Capacity
    stats: EngineStats
    slots: int
    running: dict[str, int]
    is_healthy: bool

    def seen_by(self, gateway: str, *, now: float) -> Replica:
        """A snapshot for `gateway`, which counts what it runs itself."""
        others = sum(n for name, n in self.running.items() if name != gateway)
        return Replica(self.replica, self.slots, others, now, self.stats.kv_usage, self.is_healthy)
