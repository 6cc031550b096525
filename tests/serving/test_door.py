"""Behind the door: whose a request is, and what it may see."""

import asyncio
import itertools
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from serve_app.config import GatewayTunables
from serve_app.core.limiter import Limiter
from serve_app.core.tenant import ANONYMOUS
from serve_app.keys.record import new_key
from serve_app.serving.auth import Door, identity_of
from serve_app.serving.ingress import ENGINE_ROUTES, Ingress
from serve_app.serving.keys import KeyRing
from serve_app.serving.metrics import Metrics
from serve_app.serving.standing import Absence
from tests.serving.at_the_door import Headers, answer, bearer, ingress, scope_of
from tests.serving.keyed import NOON, add_key, ring
from tests.serving.scripted import LAST, ScriptedEngines, lane


def seen_behind(door_keys: KeyRing | None, headers: Headers, **tenants: Any) -> tuple[Scope, Scope]:
    """The scope that a request came with, and the one that the app behind the door got."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    checked = GatewayTunables(tenants=tenants).tenants
    scope = {**scope_of("GET", "/x", headers), "state": {"kept": 1}}
    asyncio.run(Door(app, door_keys, checked, clock=lambda: NOON)(scope, None, None))
    [behind] = seen
    return scope, behind


def test_behind_the_door_a_request_has_an_identity(keys: KeyRing, key: str) -> None:
    scope, behind = seen_behind(keys, [bearer(key)])

    identity = identity_of(behind)
    assert (identity.tenant.name, identity.key_id) == ("acme", key[3:15])
    assert behind["state"]["kept"] == 1
    assert scope["state"] == {"kept": 1}  # servers share it between requests


def test_without_keys_everybody_is_anonymous_and_an_operator() -> None:
    _, behind = seen_behind(None, [])

    identity = identity_of(behind)
    assert (identity.tenant.name, identity.key_id) == (ANONYMOUS, "")
    assert identity.tenant.is_operator


def test_what_the_config_says_of_the_anonymous_holds_for_them() -> None:
    _, behind = seen_behind(None, [], anonymous={"weight": 3, "models": ["m"]})

    tenant = identity_of(behind).tenant
    assert (tenant.weight, tenant.models) == (3, {"m"})


def status_of(app: Any, method: str, path: str, key: str) -> tuple[int, bytes]:
    status, _, body = asyncio.run(answer(app, scope_of(method, path, [bearer(key)])))
    return status, body


def test_metrics_are_for_operators(file: Path) -> None:
    tenants = {"ops": {"operator": True}}
    theirs, ours = add_key(file, "acme"), add_key(file, "ops")
    app = ingress(ring(file, tenants=GatewayTunables(tenants=tenants).tenants), tenants=tenants)

    status, body = status_of(app, "GET", "/metrics", theirs)
    assert (status, json.loads(body)["error"]["code"]) == (403, "permission_denied")
    assert b"gateway_" not in body
    assert status_of(app, "GET", "/metrics\n", theirs)[0] in {403, 404}
    assert status_of(app, "GET", "/metrics", ours)[0] == 200


def test_metrics_are_open_where_everything_is() -> None:
    assert status_of(ingress(None), "GET", "/metrics", "none")[0] == 200


def test_a_tenant_sees_the_models_that_it_may_use_and_no_others(file: Path) -> None:
    tenants = {"acme": {"models": ["small"]}}
    key, other = add_key(file, "acme"), add_key(file, "other")
    checked = GatewayTunables.model_validate({"tenants": tenants})
    lanes = dict.fromkeys(("small", "large"), lane(ScriptedEngines(r=())))
    keys = ring(file, tenants=checked.tenants)
    app = Ingress(lanes, checked, Metrics(), limiter=Limiter("here"), keys=keys)

    def listed(key: str) -> list[str]:
        _, body = status_of(app, "GET", "/v1/models", key)
        return [card["id"] for card in json.loads(body)["data"]]

    assert (listed(key), listed(other)) == (["small"], ["small", "large"])
    assert status_of(app, "GET", "/v1/models/small", key)[0] == 200
    assert set(json.loads(status_of(app, "GET", "/ready", key)[1])["models"]) == {"small"}
    for hidden in ("large", "nothing"):
        status, body = status_of(app, "GET", f"/v1/models/{hidden}", key)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
        assert error["message"] == "you may use: small"


def test_only_operators_are_told_how_the_servers_are_set_up(file: Path) -> None:
    tenants = GatewayTunables.model_validate({"tenants": {"ops": {"operator": True}}}).tenants
    key, ours = add_key(file, "acme"), add_key(file, "ops")
    dark = lane(ScriptedEngines())
    dark.hear_nothing(Absence("the moon", "it is day"))
    keys = ring(file, tenants=tenants)
    app = Ingress({"m": dark}, GatewayTunables(), Metrics(), limiter=Limiter("here"), keys=keys)

    theirs = json.loads(status_of(app, "GET", "/ready", key)[1])["models"]["m"]
    assert theirs["waits_for"] == "the moon"
    assert "detail" not in theirs
    assert json.loads(status_of(app, "GET", "/ready", ours)[1])["models"]["m"]["detail"]


def test_only_operators_are_told_that_more_replicas_are_wanted_than_there_are(file: Path) -> None:
    tenants = GatewayTunables.model_validate({"tenants": {"ops": {"operator": True}}}).tenants
    key, ours = add_key(file, "acme"), add_key(file, "ops")
    short = lane(ScriptedEngines(a=[LAST]))
    short.shortfall = "wants 2 replicas, 1 serves, 1 loads"
    keys = ring(file, tenants=tenants)
    app = Ingress({"m": short}, GatewayTunables(), Metrics(), limiter=Limiter("here"), keys=keys)

    models = [json.loads(status_of(app, "GET", "/ready", k)[1])["models"]["m"] for k in (key, ours)]
    assert models[0] == {"ready": True, "replicas": 1, "depth": 0}
    assert models[1] == models[0] | {"shortfall": short.shortfall}


ORIGIN = "https://chat.example"
PREFLIGHT: Headers = [
    (b"origin", ORIGIN.encode()),
    (b"access-control-request-method", b"POST"),
    (b"access-control-request-headers", b"authorization,content-type,x-api-key"),
]


def test_a_browsers_preflight_needs_no_key_where_its_origin_is_allowed(keys: KeyRing) -> None:
    app = ingress(keys, cors={"allow_origins": [ORIGIN]})

    status, headers, _ = asyncio.run(answer(app, scope_of("OPTIONS", "/v1/models", PREFLIGHT)))
    assert (status, headers[b"access-control-allow-origin"]) == (200, ORIGIN.encode())


@pytest.mark.parametrize("origins", [[], ["https://other.example"]])
def test_a_preflight_of_another_origin_opens_nothing(origins: list[str], keys: KeyRing) -> None:
    app = ingress(keys, cors={"allow_origins": origins})

    status, headers, _ = asyncio.run(answer(app, scope_of("OPTIONS", "/v1/models", PREFLIGHT)))
    assert status == (400 if origins else 401)
    assert b"access-control-allow-origin" not in headers


def test_a_browser_may_read_why_it_was_refused(keys: KeyRing) -> None:
    app = ingress(keys, cors={"allow_origins": [ORIGIN]})

    for method in ("POST", "OPTIONS"):  # an OPTIONS that is no preflight
        scope = scope_of(method, "/v1/models", [(b"origin", ORIGIN.encode())])
        status, headers, _ = asyncio.run(answer(app, scope))
        assert (status, headers[b"access-control-allow-origin"]) == (401, ORIGIN.encode())


def test_new_tunables_and_keys_hold_from_the_next_request_on(keys: KeyRing, key: str) -> None:
    app = ingress(None)
    assert status_of(app, "GET", "/v1/models", "wrong")[0] == 200

    app.reconfigure(GatewayTunables(), keys=keys)

    assert status_of(app, "GET", "/v1/models", "wrong")[0] == 401
    assert status_of(app, "GET", "/v1/models", key)[0] == 200


def test_no_secret_appears_in_a_log_an_error_or_a_repr(
    keys: KeyRing, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, wrong = ingress(keys), new_key()
    tried = (key, wrong, wrong[:30], key + "x" * 300)
    bodies = []
    with caplog.at_level(logging.DEBUG):
        for path, sent in itertools.product(("/x", "/v1/models", *ENGINE_ROUTES), tried):
            bodies.append(status_of(app, "POST", path, sent)[1])
            keys.refresh()

    shown = [caplog.text, repr(keys), repr(app), b"".join(bodies).decode()]
    for text, secret in itertools.product(shown, (key[16:], wrong[16:30])):
        assert secret not in text
