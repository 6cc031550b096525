"""The YAML's own knobs, typed: what `args`, `user_config` and `policy_kwargs` may hold.

`args` is structure: changing it restarts the application's replicas. `user_config` is
tuning: Serve hands it to `reconfigure()` and nothing restarts. A key that is not here is
an error. The docstring under a field is its documentation; `deployments/reference.yaml`
is generated from this package.
"""

from serve_app.config.engine import EngineArgs, EngineTunables, Preflight, Simulated
from serve_app.config.gateway import GatewayArgs, GatewayTunables
from serve_app.config.knobs import Knobs
from serve_app.config.limits import Cors, Limits
from serve_app.config.policy import PolicyKnobs
from serve_app.config.queue import Queue, Shares, Slots
from serve_app.config.tenants import Auth, RateLimits, TenantKnobs

__all__ = [
    "Auth",
    "Cors",
    "EngineArgs",
    "EngineTunables",
    "GatewayArgs",
    "GatewayTunables",
    "Knobs",
    "Limits",
    "PolicyKnobs",
    "Preflight",
    "Queue",
    "RateLimits",
    "Shares",
    "Simulated",
    "Slots",
    "TenantKnobs",
]
