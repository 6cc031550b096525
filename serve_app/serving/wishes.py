"""What a client may wish for in headers: how long to wait, and how urgent it is."""

from starlette.types import Scope

from serve_app.core.tenant import Priority
from serve_app.errors import Malformed

TIMEOUT_HEADER = b"x-request-timeout-seconds"
PRIORITY_HEADER = b"x-priority"
PRIORITIES = {priority.name.lower().encode(): priority for priority in Priority}


def timeout_s(scope: Scope) -> float | None:
    """The client's own deadline for its wait; None when it has none."""
    value = _header(scope, TIMEOUT_HEADER)
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Malformed("x-request-timeout-seconds must be a positive number of seconds")
    return seconds


def priority(scope: Scope) -> Priority:
    """The class that the client asks for; its tenant's ceiling still holds."""
    value = _header(scope, PRIORITY_HEADER)
    if value is None:
        return Priority.NORMAL
    wanted = PRIORITIES.get(value.strip().lower())
    if wanted is None:
        raise Malformed(f"x-priority must be one of {b', '.join(PRIORITIES).decode()}")
    return wanted


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)
