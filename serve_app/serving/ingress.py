"""The HTTP surface: an allow-list of vLLM's routes, beside the gateway's own pages.

Read, screen, wait, relay. What a request may contain is decided in `screen`, when it runs
in `Lane`; here the steps are put in order and each request gets its one outcome.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serve_app.config import Cors, GatewayTunables
from serve_app.engine.protocol import Call, Headers
from serve_app.errors import (
    ClientGone,
    Malformed,
    MethodNotAllowed,
    ModelNotFound,
    RequestError,
    RouteNotFound,
)
from serve_app.serving.body import read_body
from serve_app.serving.cpu import Metered
from serve_app.serving.lane import Lane
from serve_app.serving.metrics import Metrics
from serve_app.serving.pages import Pages
from serve_app.serving.relay import Relay, while_connected
from serve_app.serving.screen import Ask, parse, screen

logger = logging.getLogger("ray.serve")

ENGINE_ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/tokenize",
    "/detokenize",
)
TIMEOUT_HEADER = b"x-request-timeout-seconds"
JSON: Headers = ((b"content-type", b"application/json"),)


class Ingress:
    """An ASGI app in front of lanes; `lanes` maps the model names that clients send."""

    def __init__(
        self, lanes: Mapping[str, Lane], tunables: GatewayTunables, metrics: Metrics
    ) -> None:
        self._lanes = lanes
        self._metrics = metrics
        self._pages = Pages(lanes, metrics)
        self.reconfigure(tunables)

    def reconfigure(self, tunables: GatewayTunables) -> None:
        """Requests in flight keep the app, and so the limits, that they came in through."""
        self._limits = tunables.limits
        self._idle_write_timeout_s = tunables.idle_write_timeout_s
        self._app = Starlette(
            routes=self._routes(),
            middleware=_cors(tunables.cors),
            exception_handlers={HTTPException: _not_routed},
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _routes(self) -> list[Route]:
        forwarded = [Route(path, _Endpoint(self), methods=["POST"]) for path in ENGINE_ROUTES]
        return [*self._pages.routes(), *forwarded]

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for an engine; it ends in exactly one outcome."""
        relay = Relay(send, idle_write_timeout_s=self._idle_write_timeout_s)
        await Metered(self._forward(scope, receive, relay), relay.spend)

    async def _forward(self, scope: Scope, receive: Receive, relay: Relay) -> None:
        request_id = uuid.uuid4().hex  # our own: a client's could name another's request
        arrived = time.perf_counter()
        ask: Ask | None = None
        try:
            body = await read_body(scope, receive, self._limits)
            ask = screen(scope["path"], parse(body, self._limits), self._limits)
            lane = self._lane(ask.model, scope["path"])
            call = Call(request_id, scope["path"], body, headers=JSON, sequences=ask.sequences)
            request = lane.request(
                request_id,
                sequences=ask.sequences,
                prompt_tokens=ask.prompt_tokens,
                output_tokens=ask.max_tokens or 0,
                timeout_s=_timeout_s(scope),
            )
            passing_on = relay.pass_on(lane.answer(call, request))
            await while_connected(receive, Metered(passing_on, relay.spend))
        except ClientGone as gone:
            relay.outcome.code = gone.code
        except asyncio.CancelledError:
            relay.outcome.code = ClientGone.code  # Serve's proxy saw the client leave
            raise
        except RequestError as error:
            await relay.fail(error)
        finally:
            model = ask.model if ask is not None and ask.model in self._lanes else ""
            seconds = time.perf_counter() - arrived
            self._metrics.ended(model, relay.outcome, seconds)
            logger.info(
                "%s %s %r: %s in %.3f s", request_id, scope["path"], model, relay.outcome, seconds
            )

    def _lane(self, model: str, path: str) -> Lane:
        lane = self._lanes.get(model)
        if lane is None:
            names = ", ".join(self._lanes)
            raise ModelNotFound(
                f"no model of that name; this gateway serves: {names}", param="model"
            )
        if lane.reports and path not in lane.reports[0].model.routes:
            has = ", ".join(lane.reports[0].model.routes)
            raise RouteNotFound(f"{model} does not answer {path}; it answers: {has}")
        return lane


class _Endpoint:
    """Starlette calls instances as ASGI apps; a method would be given a parsed request."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._ingress.forward(scope, receive, send)


def _timeout_s(scope: Scope) -> float | None:
    """The client's own deadline for its wait, from `x-request-timeout-seconds`."""
    for name, value in scope["headers"]:
        if name == TIMEOUT_HEADER:
            try:
                seconds = float(value)
            except ValueError:
                seconds = 0.0
            if not 0 < seconds < float("inf"):
                raise Malformed("x-request-timeout-seconds must be a positive number of seconds")
            return seconds
    return None


def _cors(cors: Cors) -> list[Middleware]:
    if not cors.allow_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=cors.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", TIMEOUT_HEADER.decode()],
            expose_headers=["x-request-id", "retry-after"],
            max_age=cors.max_age_s,
        )
    ]


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
