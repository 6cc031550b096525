"""The ingress router: what the gateway application may be told."""

from typing import Literal

from pydantic import Field

from serve_app.config.knobs import Knobs
from serve_app.config.limits import Cors, Limits
from serve_app.config.queue import Queue, Slots
from serve_app.config.tenants import Auth, TenantKnobs, TenantName


class GatewayArgs(Knobs):
    """`args` of the gateway application."""

    models: dict[str, str] = Field(min_length=1)
    """Model name that clients send → name of the engine application that serves it."""


class GatewayTunables(Knobs):
    """`user_config` of the Gateway deployment."""

    auth: Auth | Literal["none"] = Auth()
    """Who may ask. Without keys only a gateway on a loopback address starts; `none` lets anybody in
    on any address."""
    tenants: dict[TenantName, TenantKnobs] = Field(default_factory=dict)
    """Tenants by name; one that is not here has the defaults. Who comes without a key, where that
    is allowed, is the tenant `anonymous`."""
    queue: Queue = Queue()
    """Where requests wait."""
    slots: Slots = Slots()
    """How much runs on a replica."""
    limits: Limits = Limits()
    """The largest request that reaches an engine."""
    cors: Cors = Cors()
    """Browsers of other origins."""
    beat_interval_s: float = Field(default=0.5, gt=0, le=10)
    """How often gateway and replicas exchange queue depth and load."""
    stale_after_s: float = Field(default=3.0, gt=0)
    """A replica that was silent for longer gets no new request while another one speaks."""
    heartbeat_interval_s: float = Field(default=15.0, ge=0)
    """A stream that is silent for this long gets an SSE comment, so that nobody hangs up on it;
    0 for none. A client opts out with `x-heartbeat: none`."""
    idle_write_timeout_s: float = Field(default=60.0, gt=0)
    """A client that takes nothing for this long, while there is something to send, is cut off."""
    retries: int = Field(default=2, ge=0, le=10)
    """Other replicas to try when one dies before the first byte of an answer."""
