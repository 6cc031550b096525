"""Where Serve listens, as its controller says: what `http_options` said when Serve was started.

Serve ignores the `http_options` of a later file. With HAProxy the gateways listen there
themselves, on ports of their own; the address is the same one.
"""

import ray

CONTROLLER_TIMEOUT_S = 5.0


def listening_host() -> str | None:
    """The host that Serve listens on; None is nowhere. Blocks for a moment."""
    controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
    options = ray.get(controller.get_http_config.remote(), timeout=CONTROLLER_TIMEOUT_S)
    host: str | None = options.host
    return host
