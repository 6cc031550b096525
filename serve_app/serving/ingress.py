"""The HTTP surface: an allow-list of vLLM's routes, beside the gateway's own pages, behind
the door."""

from collections.abc import Mapping
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.config import Cors, GatewayTunables
from serve_app.core.limiter import Limiter
from serve_app.errors import MethodNotAllowed, RequestError, RouteNotFound
from serve_app.serving.auth import Door
from serve_app.serving.forward import Forward
from serve_app.serving.heartbeat import HEARTBEAT_HEADER
from serve_app.serving.keys import KeyRing
from serve_app.serving.lane import Lane
from serve_app.serving.metrics import Metrics
from serve_app.serving.pages import Pages
from serve_app.serving.wishes import PRIORITY_HEADER, TIMEOUT_HEADER

ENGINE_ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/tokenize",
    "/detokenize",
)
CREDENTIALS = ("authorization", "x-api-key")
WISHES = tuple(h.decode() for h in (TIMEOUT_HEADER, PRIORITY_HEADER, HEARTBEAT_HEADER))
RATES = tuple(
    f"x-ratelimit-{what}-{kind}"
    for what in ("limit", "remaining", "reset")
    for kind in ("requests", "tokens")
)
TOLD = ("x-request-id", "retry-after", "x-queue-position", "x-queue-wait-seconds", *RATES)


class Ingress:
    """An ASGI app in front of lanes; `lanes` maps the model names that clients send."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        tunables: GatewayTunables,
        metrics: Metrics,
        *,
        limiter: Limiter,
        keys: KeyRing | None,
    ) -> None:
        self._forward = Forward(lanes, limiter, metrics)
        self._pages = Pages(lanes, metrics)
        self._refused = metrics.refused
        self.reconfigure(tunables, keys=keys)

    def reconfigure(self, tunables: GatewayTunables, *, keys: KeyRing | None) -> None:
        """Without `keys` anybody may ask. Requests in flight keep the limits that they
        came in with."""
        self._forward.reconfigure(tunables)
        routed = Starlette(routes=self._routes(), exception_handlers={HTTPException: _not_routed})
        routed.router.redirect_slashes = False
        # A browser's preflight carries no key, so it is answered before the door.
        door = Door(routed, keys, tunables.tenants, refused=self._refused)
        self._app = _cors(door, tunables.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _routes(self) -> list[Route]:
        forwarded = [Route(path, self._forward, methods=["POST"]) for path in ENGINE_ROUTES]
        return [*self._pages.routes(), *forwarded]


def _cors(app: ASGIApp, cors: Cors) -> ASGIApp:
    if not cors.allow_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=cors.allow_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", *CREDENTIALS, *WISHES],
        expose_headers=TOLD,
        max_age=cors.max_age_s,
    )


async def _not_routed(_request: HttpRequest, error: Exception) -> Response:
    """Starlette's own 404 and 405, in OpenAI's shape."""
    refused = cast("HTTPException", error)
    if refused.status_code == 405:
        allowed = (refused.headers or {}).get("Allow", "")
        found: RequestError = MethodNotAllowed(f"this route takes {allowed}")
    else:
        routes = ", ".join(("/v1/models", *ENGINE_ROUTES))
        found = RouteNotFound(f"no such route; this gateway has: {routes}")
    return Response(found.body(), found.status, refused.headers, "application/json")
