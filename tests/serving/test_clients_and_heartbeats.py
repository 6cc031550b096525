"""Clients of every kind read a stream with heartbeats in it as if they were not there, and
raise when it ends with an error event. Real HTTP, on this machine."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from msgspec import structs

from serve_app.channel.wire import Load
from serve_app.engine.protocol import Frame, Head
from serve_app.errors import DeadlineExceeded
from serve_app.serving.heartbeat import HEARTBEAT
from tests.serving.in_process import MODEL, REPLICA, gateway
from tests.serving.spoken import WORDS, Scripted, served

AI_SDK = Path(__file__).parents[1] / "clients" / "ai_sdk"
BUILD = Path(__file__).parents[2] / "build" / "ai_sdk"
TEXT = "".join(WORDS)
LATE = DeadlineExceeded("waited 40 s for a free slot")
HELLO: Any = [{"role": "user", "content": "hello"}]
REFUSED = Head(400, ((b"content-type", b"application/json"),))
TOO_LONG = Frame(b'{"error": {"message": "too long", "type": "BadRequestError"}}', finished=True)

Ask = Callable[[str], Awaitable[str]]


def openais(url: str, read_s: float = 5.0, **headers: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{url}/v1",
        api_key="none",
        max_retries=0,
        timeout=openai.Timeout(5.0, read=read_s),
        default_headers=headers,
    )


async def ask_chat(url: str) -> str:
    async with openais(url) as client:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def ask_completions(url: str) -> str:
    async with openais(url) as client:
        stream = await client.completions.create(model="m", prompt="hello", stream=True)
        return "".join([chunk.choices[0].text async for chunk in stream])


async def ask_responses(url: str) -> str:
    async with openais(url) as client:
        stream = await client.responses.create(model="m", input="hello", stream=True)
        return "".join([part.delta async for part in stream if part.type.endswith("text.delta")])


async def ask_messages(url: str) -> str:
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as client,
        client.messages.stream(model="m", messages=HELLO, max_tokens=9) as stream,
    ):
        return "".join([text async for text in stream.text_stream])


async def ask_in_threads(url: str) -> str:
    """OpenAI's blocking client reads by code of its own."""

    def ask() -> str:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    return await asyncio.to_thread(ask)


CLIENTS = [ask_chat, ask_completions, ask_responses, ask_messages, ask_in_threads]


def read(app: Scripted, ask: Ask) -> str:
    async def scenario() -> str:
        async with served(app) as url:
            return await ask(url)

    return asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize("ask", CLIENTS)
def test_the_text_is_what_it_is_without_heartbeats(ask: Ask) -> None:
    app = Scripted()

    assert read(app, ask) == TEXT
    assert app.sent.startswith(HEARTBEAT)
    assert app.sent.rstrip(b"\n").count(b"\n\n" + HEARTBEAT) >= len(WORDS)


@pytest.mark.parametrize("ask", CLIENTS)
def test_an_error_after_a_heartbeat_is_raised(ask: Ask) -> None:
    with pytest.raises((openai.APIError, anthropic.APIError), match="waited 40 s"):
        read(Scripted(..., LATE), ask)


@pytest.mark.parametrize("ask", CLIENTS)
def test_an_engine_that_refuses_after_a_heartbeat_is_raised(ask: Ask) -> None:
    with pytest.raises((openai.APIError, anthropic.APIError), match="too long"):
        read(Scripted(..., REFUSED, TOO_LONG), ask)


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_refusal_without_a_heartbeat_has_its_status(ask: Ask) -> None:
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError), match="waited") as caught:
        read(Scripted(LATE), ask)
    assert caught.value.status_code == 503


@pytest.fixture(scope="module")
def ai_sdk() -> Path:
    """Vercel's AI SDK, installed once per lock file."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    lock, stamp = (AI_SDK / "package-lock.json").read_text(), BUILD / "installed.json"
    shutil.copytree(AI_SDK, BUILD, dirs_exist_ok=True)
    if not stamp.exists() or stamp.read_text() != lock:
        npm = ["npm", "ci", "--prefix", str(BUILD), "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, check=True, timeout=120)
        stamp.write_text(lock)
    return BUILD


def ask_ai_sdk(program: Path) -> Ask:
    async def ask(url: str) -> str:
        node = await asyncio.create_subprocess_exec(
            "node",
            program / "read.mjs",
            url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await node.communicate()
        if node.returncode:
            raise RuntimeError(err.decode())
        return out.decode()

    return ask


def test_the_ai_sdk_reads_the_same_text(ai_sdk: Path) -> None:
    assert read(Scripted(), ask_ai_sdk(ai_sdk)) == TEXT


def test_the_ai_sdk_fails_at_an_error_after_a_heartbeat(ai_sdk: Path) -> None:
    with pytest.raises(RuntimeError, match="waited 40 s"):
        read(Scripted(..., LATE), ask_ai_sdk(ai_sdk))


async def wait_in_line(wait_s: float, client_gives_up_after_s: float, **headers: str) -> str:
    """A chat request to a gateway whose slots another gateway has taken, for `wait_s`."""
    async with gateway({"heartbeat_interval_s": 0.75}) as running, served(running.ingress) as url:
        [idle] = running.lane.reports
        taken = Load(sequences=idle.max_sequences, tokens=idle.capacity.kv_tokens)
        full = structs.replace(idle, running={"another": taken})
        running.lane.hear([full], in_service={REPLICA})
        asyncio.get_running_loop().call_later(
            wait_s, lambda: running.lane.hear([idle], in_service={REPLICA})
        )
        async with openais(url, client_gives_up_after_s, **headers) as client:
            stream = await client.chat.completions.create(
                model=MODEL, messages=HELLO, max_tokens=5, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


def test_who_waits_longer_than_the_client_is_patient_is_served() -> None:
    """40 s in the queue, a client that gives up after 20 s of silence; 20 times as fast."""
    assert asyncio.run(wait_in_line(2.0, 1.0)).startswith("hello")


def test_who_opts_out_of_heartbeats_is_given_up_by_that_client() -> None:
    with pytest.raises(openai.APITimeoutError):
        asyncio.run(wait_in_line(2.0, 1.0, **{"x-heartbeat": "none"}))
