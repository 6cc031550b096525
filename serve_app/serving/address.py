"""Where Serve listens, as its controller says: what `http_options` said when Serve was started.

Serve ignores the `http_options` of a later file. With HAProxy the gateways listen there
themselves, on ports of their own; the address is the same one.
"""

import ray

from serve_app.serving.controller import CONTROLLER_TIMEOUT_S, controller


def listening_host() -> str | None:
    """The host that Serve listens on; None is nowhere. Blocks for a moment."""
    options = ray.get(controller().get_http_config.remote(), timeout=CONTROLLER_TIMEOUT_S)
    host: str | None = options.host
    return host
