"""In which shape an error is told to the clients of a route.

OpenAI's clients raise what stands under `error`. Anthropic's raise only at an event named
`error`, and skip one without a name as if nothing had happened. What the Responses API
calls an error event has its fields at the top, which OpenAI's own client does not raise:
there the fields are in both places.
"""

import json
from typing import Any

from serve_app.errors import RequestError

MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
REFUSAL_CHARS = 1000
# Anthropic's words, by status; its SDKs show them and choose no class by them.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}

Fields = dict[str, Any]


def error_body(error: RequestError, path: str) -> bytes:
    """The whole body of an error response."""
    fields = _fields(error, path)
    body = {"type": "error", "error": fields} if path == MESSAGES else {"error": fields}
    return json.dumps(body).encode()


def error_event(error: RequestError, path: str) -> bytes:
    """The last event of a stream whose status is already out."""
    return _event(_fields(error, path), path)


def refusal_event(status: int, body: bytes, path: str) -> bytes:
    """An engine's own error response, as the last event of a stream."""
    try:
        fields = json.loads(body)["error"]
    except (ValueError, LookupError, TypeError):
        fields = None
    if not isinstance(fields, dict):
        text = body.decode(errors="replace")[:REFUSAL_CHARS]
        kind = "invalid_request_error" if status < 500 else "server_error"
        fields = {"message": text, "type": kind, "param": None, "code": "refused"}
    return _event(fields, path)


def _fields(error: RequestError, path: str) -> Fields:
    if path != MESSAGES:
        return error.fields()
    other = "invalid_request_error" if error.status < 500 else "api_error"
    return {**error.fields(), "type": _TYPES.get(error.status, other)}


def _event(fields: Fields, path: str) -> bytes:
    if path == MESSAGES:
        return _named({"type": "error", "error": fields})
    if path == RESPONSES:
        flat = {key: fields.get(key) for key in ("code", "message", "param")}
        # Typed clients want a number, and order by none: this is the last event in any case.
        return _named({"type": "error", "sequence_number": 0, **flat, "error": fields})
    return b"data: " + json.dumps({"error": fields}).encode() + b"\n\n"


def _named(data: Fields) -> bytes:
    return b"event: error\ndata: " + json.dumps(data).encode() + b"\n\n"
