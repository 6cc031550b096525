"""The door: every path and method asks for a key, but for liveness."""

import asyncio
import itertools
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Message, Receive

from serve_app.errors import Unauthenticated
from serve_app.keys.record import new_key
from serve_app.serving.auth import credential
from serve_app.serving.ingress import ENGINE_ROUTES
from serve_app.serving.keys import KeyRing
from tests.serving.at_the_door import Headers, answer, bearer, ingress, scope_of

PAGES = ("/health", "/ready", "/metrics", "/version", "/v1/models", "/v1/models/m")
NOTHING = ("/", "/docs", "/openapi.json", "/v1", "/-/routes", "/v1/load_lora_adapter")
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")
HOSTS = ("gateway", "127.0.0.1", "evil.example", "", "gateway:80@evil.example")

# The paths of ASGI are decoded already: %2e comes as a dot, and %252e as %2e.
MANGLED = ("{}/", "/{}", "/.{}", "/health/..{}", "{}%2e", "/%2e{}", "{}\n", "{}?key=KEY", "{};x")


def paths() -> Iterator[str]:
    yield from (*PAGES, *NOTHING, *ENGINE_ROUTES)
    for path, mangled in itertools.product((*PAGES, *ENGINE_ROUTES), MANGLED):
        yield mangled.format(path)


def strangers(key: str) -> Iterator[tuple[str, Headers]]:
    """What does not open, though the right `key` is in some of it."""
    yield "no key", []
    yield "a wrong key", [bearer(new_key())]
    yield "a wrong secret", [bearer(key[:16] + new_key()[16:])]
    yield "no secret", [bearer(key[:16])]
    yield "another scheme", [bearer(key, "Basic")]
    yield "no scheme", [(b"authorization", key.encode())]
    yield "no space", [(b"authorization", f"Bearer{key}".encode())]
    yield "a tab", [(b"authorization", f"Bearer\t{key}".encode())]
    yield "a scheme and no key", [(b"authorization", b"Bearer")]
    yield "a list", [(b"authorization", f"Bearer {key}, Bearer {key}".encode())]
    yield "in quotes", [(b"authorization", f'Bearer "{key}"'.encode())]
    yield "twice", [bearer(key), bearer(key)]
    yield "a wrong one after it", [bearer(key), bearer(new_key())]
    yield "a right one after it", [bearer(new_key()), bearer(key)]
    yield "an empty one beside it", [bearer(key), (b"authorization", b"")]
    yield "another header", [(b"api-key", key.encode())]
    yield "a cookie", [(b"cookie", f"authorization=Bearer {key}".encode())]
    yield "a proxy's", [(b"proxy-authorization", f"Bearer {key}".encode())]
    yield "underscores", [(b"x_api_key", key.encode())]
    yield "a liveness path", [(b"x-original-url", b"/health"), (b"x-forwarded-prefix", b"/health")]
    yield "another method", [(b"x-http-method-override", b"HEAD")]


def is_liveness(method: str, path: str) -> bool:
    return path == "/health" and method in {"GET", "HEAD"}


@pytest.mark.parametrize("why", [why for why, _ in strangers("")])
def test_no_path_and_no_method_opens_to_a_stranger(why: str, keys: KeyRing, key: str) -> None:
    headers = dict(strangers(key))[why]

    async def let_in() -> list[tuple[str, str, int]]:
        app = ingress(keys)
        query = f"key={key}&api_key={key}&authorization=Bearer%20{key}".encode()
        tried = itertools.product(METHODS, paths())
        answers = [(m, p, (await answer(app, scope_of(m, p, headers, query)))[0]) for m, p in tried]
        return [(m, p, status) for m, p, status in answers if status != 401]

    assert asyncio.run(let_in()) == [("GET", "/health", 200), ("HEAD", "/health", 200)]


def test_no_host_opens_to_a_stranger(keys: KeyRing) -> None:
    async def statuses() -> set[int]:
        app = ingress(keys)
        tried = itertools.product(METHODS, (*NOTHING, *ENGINE_ROUTES), HOSTS)
        scopes = [scope_of(m, p, [(b"host", host.encode())]) for m, p, host in tried]
        return {(await answer(app, scope))[0] for scope in scopes}

    assert asyncio.run(statuses()) == {401}


def test_no_path_and_no_method_is_401_with_a_right_key(keys: KeyRing, key: str) -> None:
    async def refused() -> list[tuple[str, str]]:
        app = ingress(keys)
        tried = itertools.product(METHODS, paths())
        return [
            (m, p) for m, p in tried if (await answer(app, scope_of(m, p, [bearer(key)])))[0] == 401
        ]

    assert asyncio.run(refused()) == []


def test_x_api_key_is_no_key_but_for_anthropics_messages(keys: KeyRing, key: str) -> None:
    async def let_in() -> list[str]:
        app, headers = ingress(keys), [(b"x-api-key", key.encode())]
        tried = [p for p in paths() if not is_liveness("POST", p)]
        answers = [(p, (await answer(app, scope_of("POST", p, headers)))[0]) for p in tried]
        return [path for path, status in answers if status != 401]

    assert asyncio.run(let_in()) == ["/v1/messages"]


def x_api_key(key: str) -> tuple[bytes, bytes]:
    return b"x-api-key", key.encode()


CREDENTIALS = [
    # why, path, headers, the key or None where it is refused
    ("as in the RFC", "/x", [bearer("k")], "k"),
    ("in any case", "/x", [bearer("k", "bEARER")], "k"),
    ("two spaces", "/x", [bearer(" k")], "k"),
    ("spaces around", "/x", [(b"authorization", b"  Bearer k ")], "k"),
    ("Anthropic's", "/v1/messages", [x_api_key("k")], "k"),
    ("Anthropic's, spaces around", "/v1/messages", [x_api_key(" k ")], "k"),
    ("both, equal", "/v1/messages", [x_api_key("k"), bearer("k")], "k"),
    ("both, different", "/v1/messages", [x_api_key("k"), bearer("l")], None),
    ("both, one empty", "/v1/messages", [x_api_key(""), bearer("k")], None),
    ("both, one twice", "/v1/messages", [x_api_key("k"), x_api_key("k"), bearer("k")], None),
    ("Anthropic's twice", "/v1/messages", [x_api_key("k"), x_api_key("k")], None),
    ("Anthropic's, empty", "/v1/messages", [x_api_key("")], None),
    ("both, another scheme", "/v1/messages", [x_api_key("k"), bearer("k", "Basic")], None),
    ("elsewhere it is not looked at", "/x", [x_api_key("l"), bearer("k")], "k"),
    ("two", "/x", [bearer("k"), bearer("k")], None),
    ("none", "/x", [], None),
]


@pytest.mark.parametrize(
    ("path", "headers", "found"), [c[1:] for c in CREDENTIALS], ids=[c[0] for c in CREDENTIALS]
)
def test_a_request_has_one_key_or_none(path: str, headers: Headers, found: str | None) -> None:
    scope = scope_of("POST", path, headers)
    if found is None:
        with pytest.raises(Unauthenticated):
            credential(scope)
    else:
        assert credential(scope) == found.encode()


def test_a_refusal_has_openais_shape_and_says_what_to_send(keys: KeyRing) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(ingress(keys))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get("/v1/models")

    refused = asyncio.run(ask())
    error = refused.json()["error"]
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert (error["code"], error["type"]) == ("invalid_api_key", "authentication_error")
    assert "authorization: Bearer KEY" in error["message"]
    assert "connection" not in refused.headers


@pytest.mark.parametrize("header", [(b"content-length", b"9"), (b"transfer-encoding", b"chunked")])
def test_a_strangers_body_is_not_read_and_its_connection_is_closed(
    header: tuple[bytes, bytes], keys: KeyRing
) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def ask() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await ingress(keys)(scope_of("POST", ENGINE_ROUTES[0], [header]), receive, send)
        return sent

    start, _ = asyncio.run(ask())
    assert start["status"] == 401
    assert (b"connection", b"close") in start["headers"]


def test_nobody_comes_in_by_websocket(keys: KeyRing, key: str) -> None:
    async def ask(keys: KeyRing | None) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/health", "headers": [bearer(key)]}
        await ingress(keys)(scope, Receive, send)
        return sent

    for ring_or_open in (keys, None):
        [closed] = asyncio.run(ask(ring_or_open))
        assert closed["type"] == "websocket.close"
