"""What clients really send: let through here, and read by vLLM's own request models."""

import importlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, get_args

import anthropic
import openai
import pydantic
import pytest

from serve_app.serving.document import parse
from serve_app.serving.routes import ROUTES
from serve_app.serving.screen import screen
from tests.serving.bodies import (
    BODIES,
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    LIMITS,
    MESSAGES,
    RESPONSES,
    answer_format,
    asked,
    lengths,
    nest,
    properties,
    tool,
    user,
)

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "[["}'}}
TEXT = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
TURNS = [
    {"role": "system", "content": "be brief"},
    {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": [TEXT]},
]
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"n": None, "stop": None, "tools": None, "stream": None}),  # null is absent
    (CHAT, {"n": 8, "stop": ["x"] * 4, "logit_bias": {"7": -100, "8": 0.5}, "seed": -1}),
    (CHAT, {"user": "u", "metadata": {"k": "v"}, "store": False, "service_tier": "auto"}),
    (CHAT, {"modalities": ["text"], "prediction": {"type": "content", "content": "x"}}),
    (CHAT, {"top_k": -1, "min_p": 0.1, "repetition_penalty": 1.1, "ignore_eos": True}),
    (CHAT, {"chat_template_kwargs": {"enable_thinking": False, "thinking": True}}),
    (CHAT, {"stream": True, "stream_options": {"include_usage": True}}),
    (CHAT, {"logprobs": True, "top_logprobs": 20, "prompt_logprobs": 0}),
    (CHAT, {"response_format": {"type": "json_object"}}),
    (CHAT, {"structured_outputs": {"choice": ["yes", "no"]}}),
    (CHAT, {"structured_outputs": {"json": '{"type": "object"}'}}),
    (CHAT, answer_format(properties(256))),
    (CHAT, answer_format(properties(32, minProperties=1))),
    (CHAT, answer_format(lengths(8))),
    (CHAT, answer_format(nest(15))),
    (CHAT, {"tools": [tool(nest(15))]}),
    # Alike bounds compile once, however many there are.
    (CHAT, answer_format({"anyOf": [{"maxLength": 100}] * 50})),
    # Properties that happen to have the name of a keyword.
    (CHAT, {"tools": [tool({"properties": {"pattern": {"type": "string"}, "minLength": {}}})]}),
    (CHAT, user([TEXT, {"type": "text", "text": "there"}])),
    (CHAT, {"messages": TURNS}),
    (COMPLETIONS, {"prompt": ["a", "b"], "echo": True, "logprobs": 5, "max_tokens": 0}),
    (COMPLETIONS, {"prompt": [[1, 2], [3]], "max_tokens": None}),
    (COMPLETIONS, {"prompt": [1, 2, 3]}),
    (RESPONSES, {"store": False, "background": False, "include": ["reasoning.encrypted_content"]}),
    (
        RESPONSES,
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {
                    "type": "reasoning",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "x"}],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "hi", "annotations": []}],
                },
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "42"},
            ]
        },
    ),
    (MESSAGES, {"system": [TEXT], "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}}),
    (
        MESSAGES,
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "x", "signature": "s"},
                        {"type": "tool_use", "id": "t", "name": "f", "input": {"type": "image"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": [TEXT]}],
                },
            ]
        },
    ),
    (EMBEDDINGS, {"input": ["a", "b"], "dimensions": 8, "encoding_format": "base64"}),
    ("/tokenize", {"prompt": None, "messages": [{"role": "user", "content": "hi"}]}),
    ("/detokenize", {"tokens": []}),
]


@pytest.mark.parametrize(("path", "fields"), ACCEPTED)
def test_what_clients_send_is_let_through(path: str, fields: dict[str, Any]):
    assert asked(path, **fields).model == "m"


class Weather(pydantic.BaseModel):
    city: str
    days: list[int] = pydantic.Field(max_length=7)


def chat(client: openai.OpenAI, **fields: Any) -> object:
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], **fields
    )


WEATHER_TOOL = openai.pydantic_function_tool(Weather)
OPENAI_CALLS: list[Callable[[openai.OpenAI], object]] = [
    chat,
    lambda client: chat(client, stream=True, stream_options={"include_usage": True}, n=2),
    lambda client: chat(client, tools=[WEATHER_TOOL], tool_choice="required"),
    lambda client: client.chat.completions.parse(
        model="m", messages=[{"role": "user", "content": "hi"}], response_format=Weather
    ),
    lambda client: chat(client, extra_body={"top_k": 5, "min_tokens": 2}, max_tokens=9),
    lambda client: client.completions.create(model="m", prompt=["a", "b"], logprobs=2),
    lambda client: client.embeddings.create(model="m", input=["a", "b"]),
    lambda client: client.responses.create(model="m", input="hi", stream=True),
    lambda client: client.responses.create(
        model="m", input=[{"role": "user", "content": "hi"}], reasoning={"effort": "low"}
    ),
    lambda client: client.responses.parse(model="m", input="hi", text_format=Weather),
]
ANTHROPIC_TOOL: Any = {
    "name": "weather",
    "input_schema": Weather.model_json_schema(),
    "cache_control": {"type": "ephemeral"},
}
HELLO: Any = [{"role": "user", "content": [TEXT]}]
ANTHROPIC_CALLS: list[Callable[[anthropic.Anthropic], object]] = [
    lambda client: client.messages.create(model="m", max_tokens=9, messages=HELLO, system="x"),
    lambda client: client.messages.create(
        model="m",
        max_tokens=9000,
        messages=HELLO,
        tools=[ANTHROPIC_TOOL],
        tool_choice={"type": "auto"},
        thinking={"type": "enabled", "budget_tokens": 2000},
        stop_sequences=["end"],
        stream=True,
    ),
]


class Recorder(BaseHTTPRequestHandler):
    """Refuses every request, and keeps its path and body."""

    protocol_version = "HTTP/1.1"
    requests: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.requests.append((self.path, body))
        self.send_response(400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing: the test says what went wrong."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("call", OPENAI_CALLS)
def test_what_openais_own_client_sends_is_let_through(
    address: str, call: Callable[[openai.OpenAI], object]
):
    client = openai.OpenAI(api_key="k", base_url=f"{address}/v1", max_retries=0)
    with client, pytest.raises(openai.BadRequestError):
        call(client)
    path, raw = Recorder.requests[-1]
    assert screen(path, parse(raw, LIMITS), LIMITS).model == "m"


@pytest.mark.parametrize("call", ANTHROPIC_CALLS)
def test_what_anthropics_own_client_sends_is_let_through(
    address: str, call: Callable[[anthropic.Anthropic], object]
):
    client = anthropic.Anthropic(api_key="k", base_url=address, max_retries=0)
    with client, pytest.raises(anthropic.BadRequestError):
        call(client)
    path, raw = Recorder.requests[-1]
    assert screen(path, parse(raw, LIMITS), LIMITS).model == "m"


MODELS = {
    CHAT: "openai.chat_completion.protocol:ChatCompletionRequest",
    COMPLETIONS: "openai.completion.protocol:CompletionRequest",
    RESPONSES: "openai.responses.protocol:ResponsesRequest",
    MESSAGES: "anthropic.protocol:AnthropicMessagesRequest",
    EMBEDDINGS: "pooling.embed.protocol:EmbeddingCompletionRequest",
    "/tokenize": "serve.tokenize.protocol:TokenizeRequest",
    "/detokenize": "serve.tokenize.protocol:DetokenizeRequest",
}
# OpenAI's and Anthropic's fields that clients send and vLLM ignores, to no one's harm.
_ACCOUNTING = {"safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}
IGNORED = {
    CHAT: {*_ACCOUNTING, "metadata", "modalities", "prediction", "store", "verbosity"},
    COMPLETIONS: {*_ACCOUNTING, "metadata", "best_of"},
    RESPONSES: {"safety_identifier", "prompt_cache_retention", "stream_options"},
    MESSAGES: {"service_tier", "cache_control", "context_management"},
}


def request_model(path: str) -> Any:
    module, _, name = MODELS[path].partition(":")
    return getattr(importlib.import_module(f"vllm.entrypoints.{module}"), name)


@pytest.mark.vllm
@pytest.mark.parametrize("path", list(ROUTES))
def test_every_field_is_known_to_vllm_or_ignored_on_purpose(path: str):
    model = request_model(path)
    known = {field for one in get_args(model) or (model,) for field in one.model_fields}
    assert ROUTES[path].fields.keys() - known == IGNORED.get(path, set())


@pytest.mark.vllm
@pytest.mark.parametrize(("path", "fields"), ACCEPTED)
def test_what_is_let_through_is_what_vllm_reads(path: str, fields: dict[str, Any]):
    body = {key: value for key, value in (BODIES[path] | fields).items() if value is not None}
    assert pydantic.TypeAdapter(request_model(path)).validate_python(body).model == "m"
