"""Whether a port is free on this node."""

import errno
import socket


def is_busy(port: int) -> bool:
    """Whether somebody listens on it. One that may not be asked for counts as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
