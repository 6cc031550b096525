"""Every way a request can fail, and the status it fails with.

* RequestError
  + Rejected                      before it waited
    - Malformed              400  not JSON, not an object, a value out of range
    - Unsupported            400  a field that this gateway does not let through
    - ModelNotFound          404
    - RouteNotFound          404
    - MethodNotAllowed       405
    - PromptTooLong          400
    - Unauthenticated        401  no API key, or not a valid one
    - Forbidden              403  a valid key that may not do this
    - RequestTimeout         408  the body was too slow to arrive
    - BodyTooLarge           413
    - RateLimited            429  over a limit of its tenant or its key
    - QueueFull              429
    - NoReplica              503  nothing can answer yet
  + Evicted                       while it waited
    - DeadlineExceeded       503
    - ClientGone             499  never seen by anyone; a named outcome all the same
      · ClientStalled             took nothing for too long while it was being answered
  + EngineError            500    while it ran
    + EngineUnavailable      503
      - ReplicaLost
      - EngineDead
      - EngineHung
      - EngineOverloaded

`code` is a closed list: it labels metrics and appears in the body, which always has
OpenAI's shape. Messages say what was measured, the limit, and what to do.
"""

import json
from typing import ClassVar


class RequestError(Exception):
    """A request that ends without an answer; knows its own HTTP response."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "server_error"

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.param, self.retry_after_s)

    def fields(self) -> dict[str, str | None]:
        """What OpenAI's clients read under `error`."""
        return {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }

    def body(self) -> bytes:
        """The error in OpenAI's shape, as JSON."""
        return json.dumps({"error": self.fields()}).encode()


def _rebuild(
    kind: type[RequestError], message: str, param: str | None, retry_after_s: float | None
) -> RequestError:
    return kind(message, param=param, retry_after_s=retry_after_s)


class Rejected(RequestError):
    """Refused before it waited."""

    status = 400
    code = "invalid_request_error"
    type = "invalid_request_error"


class Malformed(Rejected):
    """Not a request that any engine could run."""


class Unsupported(Rejected):
    """A field that clients of this gateway may not set."""

    code = "unsupported_parameter"


class ModelNotFound(Rejected):
    status = 404
    code = "model_not_found"


class RouteNotFound(Rejected):
    status = 404
    code = "route_not_found"


class MethodNotAllowed(Rejected):
    status = 405
    code = "method_not_allowed"


class PromptTooLong(Rejected):
    code = "context_length_exceeded"


class Unauthenticated(Rejected):
    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class Forbidden(Rejected):
    status = 403
    code = "permission_denied"
    type = "permission_error"


class RequestTimeout(Rejected):
    status = 408
    code = "request_timeout"


class BodyTooLarge(Rejected):
    status = 413
    code = "body_too_large"


class RateLimited(Rejected):
    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"


class QueueFull(Rejected):
    status = 429
    code = "queue_full"
    type = "rate_limit_error"


class NoReplica(Rejected):
    status = 503
    code = "no_replica"
    type = "server_error"


class Evicted(RequestError):
    """Taken out of the queue."""

    status = 503


class DeadlineExceeded(Evicted):
    code = "deadline_exceeded"


class ClientGone(Evicted):
    status = 499
    code = "client_gone"


class ClientStalled(ClientGone):
    code = "client_stalled"


class EngineError(RequestError):
    """Stopped while it ran."""

    status = 500
    code = "engine_error"


class EngineUnavailable(EngineError):
    """This engine cannot answer; another one, or the same one later, can."""

    status = 503
    code = "engine_unavailable"


class ReplicaLost(EngineUnavailable):
    code = "replica_lost"


class EngineDead(EngineUnavailable):
    code = "engine_dead"


class EngineHung(EngineUnavailable):
    code = "engine_hung"


class EngineOverloaded(EngineUnavailable):
    code = "engine_overloaded"


def _by_code(kind: type[RequestError]) -> dict[str, type[RequestError]]:
    """`kind` and all that derive from it; where a subclass keeps a code, its parent has it."""
    found: dict[str, type[RequestError]] = {}
    for child in kind.__subclasses__():
        found |= _by_code(child)
    return found | {kind.code: kind}


ERRORS = _by_code(RequestError)
"""Every outcome by its code."""


class ClusterTooSmall(Exception):
    """A deployment that this cluster cannot hold; no request is involved."""


class NotReady(Exception):
    """A replica that would not start, or not well, found out before it loaded anything."""


class LoadTimeout(Exception):
    """A replica that was not ready in time."""
