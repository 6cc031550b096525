"""One request for an engine: read, screen, admit, wait, relay, settle.

What a request may contain is decided in `screen`, whether it gets in by `core.admission`,
when it runs by `core.dispatch`; here the steps are put in order, and each request gets its
one outcome.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from serve_app.config import GatewayTunables
from serve_app.core.admission import Asked, Permit, Used
from serve_app.core.dispatch import Place
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import Identity
from serve_app.engine.protocol import Call, Headers, Items
from serve_app.errors import ClientGone, ClientStalled, ModelNotFound, RequestError, RouteNotFound
from serve_app.serving.auth import identity_of
from serve_app.serving.body import read_body
from serve_app.serving.cpu import Metered
from serve_app.serving.heartbeat import wants_heartbeats
from serve_app.serving.lane import Lane
from serve_app.serving.metrics import Metrics
from serve_app.serving.rate_headers import rate_headers
from serve_app.serving.relay import Outcome, Relay, while_connected
from serve_app.serving.screen import Ask, parse, screen
from serve_app.serving.wishes import priority, timeout_s

logger = logging.getLogger("ray.serve")

JSON: Headers = ((b"content-type", b"application/json"),)


@dataclass(slots=True)
class _Visit:
    """What is known of a request so far. The id is our own: a client's could name another's."""

    identity: Identity
    path: str
    tunables: GatewayTunables
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    arrived: float = field(default_factory=time.perf_counter)
    ask: Ask | None = None
    lane: Lane | None = None
    permit: Permit | None = None


class Forward:
    """An ASGI app that answers requests for the models in `lanes`."""

    def __init__(self, lanes: Mapping[str, Lane], limiter: Limiter, metrics: Metrics) -> None:
        self._lanes = lanes
        self._limiter = limiter
        self._metrics = metrics

    def reconfigure(self, tunables: GatewayTunables) -> None:
        """From the next request on."""
        self._tunables = tunables

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tunables = self._tunables
        relay = Relay(
            send,
            path=scope["path"],
            idle_write_timeout_s=tunables.idle_write_timeout_s,
            heartbeat_s=tunables.heartbeat_interval_s if wants_heartbeats(scope) else 0.0,
        )
        visit = _Visit(identity_of(scope), scope["path"], tunables)
        await Metered(self._visit(visit, scope, receive, relay), relay.spend)

    async def _visit(self, visit: _Visit, scope: Scope, receive: Receive, relay: Relay) -> None:
        """Answer one request; it ends in exactly one outcome."""
        try:
            body = await read_body(scope, receive, visit.tunables.limits)
            answer = await self._admit(visit, scope, body, relay)
            await while_connected(receive, Metered(relay.pass_on(answer), relay.spend))
        except ClientGone as gone:
            relay.outcome.code = gone.code
        except asyncio.CancelledError:
            relay.outcome.code = ClientGone.code  # Serve's proxy saw the client leave
            raise
        except RequestError as error:
            await _fail(relay, error)
        except Exception:
            logger.exception("request %s failed", visit.id)
            await _fail(relay, RequestError("the gateway failed on this request; try again"))
        finally:
            self._end(visit, relay.outcome)

    async def _admit(
        self, visit: _Visit, scope: Scope, body: bytes, relay: Relay
    ) -> AsyncGenerator[Items, None]:
        """Screen the request and reserve what it may cost; the answer is yet to be awaited."""
        limits = visit.tunables.limits
        ask = visit.ask = screen(visit.path, parse(body, limits), limits)
        lane = visit.lane = self._lane(ask.model, visit)
        asked = Asked(
            visit.id,
            sequences=ask.sequences,
            prompt_tokens=ask.prompt_tokens,
            max_tokens=ask.max_tokens,
            streams=ask.stream,
            priority=priority(scope),
            timeout_s=timeout_s(scope),
        )
        try:
            permit = visit.permit = await lane.admit(asked, visit.identity)
        finally:
            now = time.monotonic()
            relay.add_headers(rate_headers(self._limiter.states(visit.identity, now=now)))
        if ask.stream:
            relay.expect_stream()
        call = Call(
            visit.id,
            visit.path,
            body,
            headers=JSON,
            sequences=ask.sequences,
            expected_tokens=permit.request.tokens,
        )
        return lane.answer(call, permit, lambda place: relay.add_headers(_place_headers(place)))

    def _lane(self, model: str, visit: _Visit) -> Lane:
        lane = self._lanes.get(model) if visit.identity.tenant.may_use(model) else None
        if lane is None:
            names = ", ".join(name for name in self._lanes if visit.identity.tenant.may_use(name))
            raise ModelNotFound(f"no model of that name; you may use: {names}", param="model")
        if lane.reports and visit.path not in lane.reports[0].model.routes:
            has = ", ".join(lane.reports[0].model.routes)
            raise RouteNotFound(f"{model} does not answer {visit.path}; it answers: {has}")
        return lane

    def _end(self, visit: _Visit, outcome: Outcome) -> None:
        if visit.lane is not None and visit.permit is not None:
            used = _used(visit.permit, outcome)
            visit.lane.settle(visit.permit, used, is_complete=outcome.code == "ok")
        model = visit.ask.model if visit.ask is not None and visit.lane is not None else ""
        seconds = time.perf_counter() - visit.arrived
        self._metrics.ended(model, visit.identity.tenant.name, outcome, seconds)
        logger.info("%s %s %r: %s in %.3f s", visit.id, visit.path, model, outcome, seconds)


async def _fail(relay: Relay, error: RequestError) -> None:
    with suppress(ClientGone):  # who has left, or takes nothing, is not told
        await relay.fail(error)
    relay.outcome.code = error.code


def _used(permit: Permit, outcome: Outcome) -> Used | None:
    """What is charged. Who leaves in the middle pays for what was done until then, or leaving
    early would be a way around every limit; who was failed by us before a token pays nothing."""
    usage = outcome.usage
    if usage is not None and usage.prompt_tokens:
        return Used(usage.prompt_tokens, usage.cached_tokens, usage.output_tokens)
    if usage is not None and outcome.code in {"ok", "refused"}:
        # The engine read it and computed nothing: a tokenization, a prompt that is too long.
        return Used(permit.request.prompt_tokens, permit.request.prompt_tokens)
    has_left = outcome.code in {ClientGone.code, ClientStalled.code}
    request, output_tokens = permit.request, outcome.output_tokens
    if has_left and permit.has_run and not request.streams:
        output_tokens = request.sequences * request.output_tokens  # nobody knows how far it came
    if output_tokens or (has_left and permit.has_run):
        return Used(request.prompt_tokens, 0, output_tokens)
    return None


def _place_headers(place: Place) -> Headers:
    """Where the request stood when it began to wait, and for how long that may be."""
    position = (b"x-queue-position", str(place.position).encode())
    if place.wait_s is None:
        return (position,)
    return (position, (b"x-queue-wait-seconds", f"{place.wait_s:.1f}".encode()))
