"""One target's connections, and vLLM's own client on them.

Requests are sent and timed by the functions that `vllm bench serve` is made of: what this
measures is what that measures. The loop around them is ours (`load`), because vLLM's sends
its warm-up with the first prompt to be measured, opens new connections each time, and
knows an error by its reason phrase alone.

vLLM's client counts a stream as complete that broke off after its first token. A complete
one ends with a usage chunk, where the target sends them at all, so one without is an error
here.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
from vllm.benchmarks.lib.endpoint_request_func import ASYNC_REQUEST_FUNCS, RequestFuncInput

from serve_app.bench.answer import Answer
from serve_app.bench.ask import Ask
from serve_app.bench.plan import Endpoint
from serve_app.bench.target import Target

_FUNCTIONS = {"completions": "openai", "chat": "openai-chat"}
_PATHS = {"completions": "completions", "chat": "chat/completions"}
# uvicorn, which most targets are, drops a connection that was idle for 5 s. A request that
# leaves at that moment is an error that no user of a real client would see.
_KEEPALIVE_S = 4.0
_LISTING_S = 10.0
_LONGEST_MESSAGE = 300


class Bar(Protocol):
    """What vLLM's client tells of each answer that is complete."""

    def update(self, n: float | None = 1, /) -> bool | None: ...


class Refused(Exception):
    """An HTTP status that is an error."""


class Client:
    """Sends requests to `target`, until its `async with` block ends."""

    def __init__(
        self, target: Target, *, endpoint: Endpoint, fields: dict[str, Any], timeout_s: float
    ) -> None:
        self.target = target
        self.model = target.model
        self.sends_usage = False
        self._headers = target.headers()
        self._url = f"{target.url}/{_PATHS[endpoint]}"
        self._request = ASYNC_REQUEST_FUNCS[_FUNCTIONS[endpoint]]
        self._fields = fields
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            trust_env=not target.is_local,
            raise_for_status=_raise_refused,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def models(self) -> list[dict[str, Any]]:
        """The cards of the models it lists; raises `Refused`, or what aiohttp raises."""
        url, patience = f"{self.target.url}/models", aiohttp.ClientTimeout(total=_LISTING_S)
        async with self._session.get(url, headers=self._headers, timeout=patience) as page:
            return list((await page.json())["data"])

    async def metrics(self) -> str:
        """What it exports for Prometheus; empty where it does not."""
        parts, patience = urlsplit(self.target.url), aiohttp.ClientTimeout(total=_LISTING_S)
        url = f"{parts.scheme}://{parts.netloc}/metrics"
        try:
            async with self._session.get(url, headers=self._headers, timeout=patience) as page:
                return await page.text(errors="replace")
        except (Refused, aiohttp.ClientError, TimeoutError):
            return ""

    async def send(self, ask: Ask, bar: Bar | None = None) -> Answer:
        """One request, streamed; an error is in the answer, never raised."""
        call = RequestFuncInput(
            prompt=ask.text,
            chat_messages=[message._asdict() for message in ask.messages],
            api_url=self._url,
            prompt_len=ask.input_tokens,
            output_len=ask.output_tokens,
            model=self.model,
            extra_headers=self._headers,
            extra_body=self._fields,
        )
        return self._answer(ask, await self._request(call, self._session, bar))

    def _answer(self, ask: Ask, output: Any) -> Answer:
        error = "" if output.success else _error(output.error)
        if self.sends_usage and not error and not output.output_tokens:
            error = "cut short: the stream ended without its usage chunk"
        self.sends_usage = self.sends_usage or bool(output.output_tokens)
        return Answer(
            ttft_s=output.ttft,
            itls_s=tuple(output.itl),
            e2e_s=output.latency,
            input_tokens=output.prompt_len,
            output_tokens=output.output_tokens or len(output.itl) + 1,
            asked_tokens=ask.output_tokens,
            error=error,
        )


@contextmanager
def withheld(name: str = "OPENAI_API_KEY") -> Iterator[None]:
    """vLLM's client sends this key to every target; a target gets its own key, or none."""
    key = os.environ.pop(name, None)
    try:
        yield
    finally:
        if key is not None:
            os.environ[name] = key


async def _raise_refused(response: aiohttp.ClientResponse) -> None:
    if response.status >= 400:
        raise Refused(refusal(response.status, await response.text(errors="replace")))


def refusal(status: int, body: str) -> str:
    """An error in OpenAI's shape, or whatever else came, as "status code: message" on one line.

    >>> refusal(429, '{"error": {"code": "queue_full", "message": "1000 wait"}}')
    '429 queue_full: 1000 wait'
    """
    try:
        error = json.loads(body)["error"]
        kind, message = error.get("code"), error["message"]
        kind = kind if isinstance(kind, str) else error.get("type")
    except (AttributeError, KeyError, TypeError, ValueError):
        kind, message = None, body
    line = " ".join(str(message).split())[:_LONGEST_MESSAGE]
    return f"{status} {kind}: {line}" if kind else f"{status}: {line}"


def _error(said: str) -> str:
    """vLLM's client reports a traceback, or one sentence when no token came."""
    if not said.startswith("Traceback"):
        return "no token: the stream ended before its first one"
    name, _, message = said.strip().rpartition("\n")[2].partition(": ")
    kind = name.rpartition(".")[2]
    return message if kind == Refused.__name__ else f"{kind}: {message}"
