"""What is replayed, but for the traffic and whoever decides."""

from dataclasses import dataclass, field

from serve_app.config import EngineTunables, GatewayTunables
from serve_app.sim.scaling.fleet import Rates, Slo


@dataclass(frozen=True, slots=True)
class Setup:
    """A deployment, as far as scaling is concerned."""

    rates: Rates
    load_s: float
    least: int = 1
    most: int = 16
    initial: int = 1
    slo: Slo = field(default_factory=Slo)
    gateway: GatewayTunables = field(default_factory=GatewayTunables)
    engine: EngineTunables = field(default_factory=EngineTunables)
