"""Requests as ASGI has them, for what decides before any of them is read."""

from typing import Any

from starlette.types import Message, Scope

from serve_app.config import GatewayTunables
from serve_app.core.limiter import Limiter
from serve_app.serving.ingress import Ingress
from serve_app.serving.keys import KeyRing
from serve_app.serving.metrics import Metrics

Headers = list[tuple[bytes, bytes]]


def ingress(keys: KeyRing | None, **tunables: Any) -> Ingress:
    """A gateway without a model."""
    checked = GatewayTunables.model_validate(tunables)
    return Ingress({}, checked, Metrics(), limiter=Limiter("here"), keys=keys)


def scope_of(method: str, path: str, headers: Headers, query: bytes = b"") -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "scheme": "http",
        "server": ("gateway", 80),
        "headers": headers,
    }


async def answer(app: Any, scope: Scope) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body; fails when somebody asks for the body of what is refused."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return sent[0]["status"], dict(sent[0]["headers"]), body


def bearer(key: str, scheme: str = "Bearer") -> tuple[bytes, bytes]:
    return b"authorization", f"{scheme} {key}".encode()
