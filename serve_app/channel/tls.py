"""TLS between gateway and replica, where Ray itself uses it: same switch, same files.

Ray reads RAY_USE_TLS and the paths RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and
RAY_TLS_CA_CERT on every node; each end shows its certificate and checks the other's.
"""

import os
import ssl
from collections.abc import Mapping


def server_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext | None:
    """For the end that listens; None when Ray runs without TLS."""
    return _context(ssl.PROTOCOL_TLS_SERVER, environ)


def client_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext | None:
    """For the end that connects; None when Ray runs without TLS."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, environ)


def _context(side: int, environ: Mapping[str, str]) -> ssl.SSLContext | None:
    if environ.get("RAY_USE_TLS", "0").lower() not in {"1", "true"}:
        return None
    context = ssl.SSLContext(side)
    # Who the other end is, the handshake of the channel says; certificates name nodes loosely.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(environ["RAY_TLS_SERVER_CERT"], environ["RAY_TLS_SERVER_KEY"])
    context.load_verify_locations(environ["RAY_TLS_CA_CERT"])
    return context
