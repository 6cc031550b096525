"""The door: who asks, before anything else looks at a request.

Everything but liveness is behind it, every path and every method, those that do not exist
too: what a stranger gets tells nothing of what there is. A body is not read before its
sender is known. Keys come in headers only; a query ends up in logs.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.config import TenantKnobs
from serve_app.core.tenant import ANONYMOUS, Identity
from serve_app.engine.protocol import Headers
from serve_app.errors import Unauthenticated
from serve_app.serving.keys import KeyRing
from serve_app.serving.relay import send_error

MISSING = "no API key. Send the header `authorization: Bearer KEY` with a key of this gateway."
TWO = "more than one API key. Send one, in one header."
NOT_BEARER = "authorization is not understood. Send `authorization: Bearer KEY`."

BODY_HEADERS = (b"content-length", b"transfer-encoding")
ANTHROPIC_PATH = "/v1/messages"  # clients of Anthropic's API send x-api-key


class Door:
    """An ASGI app before `app`. Behind it every request has an identity; see `identity_of`."""

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing | None,
        tenants: Mapping[str, TenantKnobs],
        *,
        refused: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without `keys` anybody comes in, as the tenant `anonymous`; `refused` hears the codes of
        those who do not."""
        self._app = app
        self._keys = keys
        self._stranger = _stranger(tenants)
        self._refused = refused
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it
        elif scope["type"] != "http" or _is_liveness(scope):
            await self._app(scope, receive, send)
        else:
            await self._enter(scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            identity = self._identify(scope)
        except Unauthenticated as refused:
            self._refused(refused.code)
            headers = _refusal_headers(scope)
            await send_error(send, refused, path=scope["path"], headers=headers)
            return
        state = {**scope.get("state", {}), "identity": identity}
        await self._app({**scope, "state": state}, receive, send)

    def _identify(self, scope: Scope) -> Identity:
        if self._keys is None:
            return self._stranger
        return self._keys.identify(credential(scope), now=self._clock())


def identity_of(scope: Scope) -> Identity:
    """Whose request this is; `request.state.identity` in a Starlette endpoint."""
    identity: Identity = scope["state"]["identity"]
    return identity


def credential(scope: Scope) -> bytes:
    """The one key that a request presents; raises `Unauthenticated`."""
    keys = [_bearer(value) for value in _values(scope, b"authorization")]
    if scope["path"] == ANTHROPIC_PATH:
        also = [value.strip() for value in _values(scope, b"x-api-key")]
        if len(keys) == len(also) == 1 and keys == also:
            return keys[0]  # some clients send both
        keys += also
    if len(keys) > 1:
        raise Unauthenticated(TWO)
    if not keys or not keys[0]:
        raise Unauthenticated(MISSING)
    return keys[0]


def _values(scope: Scope, header: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name.lower() == header]


def _bearer(value: bytes) -> bytes:
    scheme, _, key = value.strip().partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated(NOT_BEARER)
    return key.strip()


def _is_liveness(scope: Scope) -> bool:
    return scope["path"] == "/health" and scope["method"] in {"GET", "HEAD"}


def _stranger(tenants: Mapping[str, TenantKnobs]) -> Identity:
    """Where anybody may come in, nothing is kept from anybody: /metrics is open too."""
    tenant = tenants.get(ANONYMOUS, TenantKnobs()).to_core(ANONYMOUS)
    return Identity(dataclasses.replace(tenant, is_operator=True))


def _refusal_headers(scope: Scope) -> Headers:
    challenge = ((b"www-authenticate", b"Bearer"),)
    if any(_values(scope, name) for name in BODY_HEADERS):
        return (*challenge, (b"connection", b"close"))  # nobody reads the body that is on its way
    return challenge
