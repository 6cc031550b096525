"""The HTTP surface, over the simulated engine, without Ray."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from serve_app.serving.standing import Absence
from tests.serving.in_process import MODEL, gateway

HELLO = {"model": MODEL, "messages": [{"role": "user", "content": "one two three"}]}


def get(path: str, **tunables: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with gateway(tunables) as running:
            return await running.client.get(path)

    return asyncio.run(ask())


def post(path: str, body: Any, headers: dict[str, str] | None = None, **tunables: Any) -> Any:
    async def ask() -> httpx.Response:
        async with gateway(tunables) as running:
            return await running.client.post(path, json=body, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "route_not_found"),
        ("GET", "/docs", 404, "route_not_found"),
        ("POST", "/scale_elastic_ep", 404, "route_not_found"),
        ("POST", "/v1/load_lora_adapter", 404, "route_not_found"),
        ("POST", "/v1/chat/completions/", 404, "route_not_found"),
        ("POST", "//v1/chat/completions", 404, "route_not_found"),
        ("POST", "/v1/chat/completions/batch", 404, "route_not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/chat/completions", 405, "method_not_allowed"),
        ("GET", "/v1/models/unknown", 404, "model_not_found"),
    ],
)
def test_what_is_not_on_the_list_is_refused_in_openais_shape(
    method: str, path: str, status: int, code: str
) -> None:
    async def ask() -> httpx.Response:
        async with gateway() as running:
            return await running.client.request(method, "http://gateway" + path)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_health_ready_version_models_and_metrics_answer() -> None:
    assert get("/health").json() == {"status": "ok"}
    assert get("/ready").json()["models"][MODEL]["replicas"] == 1
    assert "ray" in get("/version").json()
    [card] = get("/v1/models").json()["data"]
    assert (card["id"], card["object"], card["max_model_len"]) == (MODEL, "model", 8192)
    assert get(f"/v1/models/{MODEL}").json()["id"] == MODEL
    assert "gateway_ready_replicas" in get("/metrics").text


def test_without_a_replica_it_is_not_ready_and_says_what_it_waits_for() -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with gateway() as running:
            running.lane.hear_nothing(Absence("the moon", "it is day", is_coming=False))
            chat = await running.client.post("/v1/chat/completions", json=HELLO)
            return await running.client.get("/ready"), chat

    ready, chat = asyncio.run(ask())
    assert ready.status_code == 503
    assert ready.json()["models"][MODEL]["waits_for"] == "the moon"
    assert ready.json()["models"][MODEL]["detail"] == "it is day"
    assert "it is day" not in chat.text  # clients are not told how the servers are set up
    assert chat.status_code == 503
    assert "the moon" in chat.json()["error"]["message"]
    assert chat.headers["retry-after"] == "5"


def test_an_unknown_model_is_404_and_names_what_there_is() -> None:
    answer = post("/v1/chat/completions", {**HELLO, "model": "gpt-5"})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert MODEL in error["message"]


def test_a_route_that_the_model_lacks_is_404() -> None:
    answer = post("/v1/embeddings", {"model": MODEL, "input": "x"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "route_not_found")


@pytest.mark.parametrize("seconds", ["soon", "-1", "0", "nan", "inf"])
def test_a_deadline_that_is_no_time_is_refused(seconds: str) -> None:
    answer = post("/v1/chat/completions", HELLO, {"x-request-timeout-seconds": seconds})

    assert answer.status_code == 400


def test_a_body_over_the_limit_is_413_and_closes_the_connection() -> None:
    answer = post(
        "/v1/chat/completions", {**HELLO, "user": "x" * 5000}, limits={"body_bytes": 1024}
    )

    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_browsers_of_other_origins_are_let_in_only_by_config() -> None:
    preflight = {"origin": "https://chat.example", "access-control-request-method": "POST"}

    async def ask(**cors: Any) -> httpx.Response:
        async with gateway({"cors": cors}) as running:
            return await running.client.options("/v1/chat/completions", headers=preflight)

    assert asyncio.run(ask()).status_code == 405
    allowed = asyncio.run(ask(allow_origins=["https://chat.example"]))
    assert allowed.headers["access-control-allow-origin"] == "https://chat.example"
    assert asyncio.run(ask(allow_origins=["https://other.example"])).status_code == 400


def test_each_request_is_counted_under_one_outcome() -> None:
    async def ask() -> str:
        async with gateway() as running:
            await running.client.post("/v1/chat/completions", json={**HELLO, "max_tokens": 5})
            await running.client.post("/v1/chat/completions", json={**HELLO, "max_tokens": 0})
            await running.client.post("/v1/chat/completions", content=b"{")
            return (await running.client.get("/metrics")).text

    lines = asyncio.run(ask()).splitlines()
    assert 'gateway_requests_total{code="ok",model="simulated"} 1.0' in lines
    assert 'gateway_tokens_total{kind="output",model="simulated"} 5.0' in lines
    ended = [line for line in lines if line.startswith("gateway_requests_total")]
    assert sum(float(line.split()[-1]) for line in ended) == 3


def test_openais_client_streams_through_the_gateway() -> None:
    async def ask() -> tuple[str, int]:
        async with gateway() as running:
            client = openai.AsyncOpenAI(
                base_url="http://gateway/v1",
                api_key="none",
                http_client=running.client,
                max_retries=0,
            )
            stream = await client.chat.completions.create(
                **HELLO, max_tokens=6, stream=True, stream_options={"include_usage": True}
            )
            chunks = [chunk async for chunk in stream]
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            return text, chunks[-1].usage.completion_tokens

    text, tokens = asyncio.run(ask())
    assert text.startswith("one two three")
    assert tokens == 6


def test_an_engine_that_dies_in_mid_stream_ends_it_with_an_error_event() -> None:
    async def ask() -> tuple[list[bytes], httpx.Response]:
        async with gateway(decode_step_s=0.001, faults=True) as running:
            stream = running.stream({**HELLO, "stream": True, "max_tokens": 500})
            pieces = [await anext(stream)]
            poison = {"role": "user", "content": "simulate: die"}
            asked = {**HELLO, "messages": [poison]}
            killing = asyncio.create_task(running.client.post("/v1/chat/completions", json=asked))
            pieces += [piece async for piece in stream]
            # The poison itself waits for another replica; there will be none.
            running.lane.hear_nothing(Absence("the moon", is_coming=False))
            return pieces, await killing

    pieces, killed = asyncio.run(ask())
    assert json.loads(pieces[-1].removeprefix(b"data: "))["error"]["code"] == "engine_dead"
    assert b"[DONE]" not in b"".join(pieces)
    assert killed.status_code == 503


def test_a_fault_of_our_own_is_an_error_in_openais_shape_and_counted_as_one() -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("secret")

    async def ask() -> tuple[httpx.Response, str]:
        async with gateway() as running:
            running.lane.admit = broken
            answer = await running.client.post("/v1/chat/completions", json=HELLO)
            return answer, (await running.client.get("/metrics")).text

    answer, metrics = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert 'gateway_requests_total{code="internal_error",model="simulated"} 1.0' in metrics


def test_what_the_engine_only_reads_is_charged_as_if_it_were_cached() -> None:
    limits = {"tenants": {"anonymous": {"limits": {"tokens_per_day": 10_000}}}}
    asked = {"model": MODEL, "prompt": "one two three " * 1000}

    async def ask() -> list[int]:
        """What is left while each of two requests has its estimate reserved."""
        async with gateway(limits) as running:
            answers = [await running.client.post("/tokenize", json=asked) for _ in range(2)]
            return [int(a.headers["x-ratelimit-remaining-tokens"]) for a in answers]

    first, second = asyncio.run(ask())
    assert first == 10_000 - 3500
    assert first - second == pytest.approx(350, abs=5)
