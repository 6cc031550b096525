"""Bodies that the tests of the screen start from: one valid body for each route, and parts."""

from typing import Any

from serve_app.config import Limits
from serve_app.serving.screen import Ask, screen

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
RESPONSES, MESSAGES, EMBEDDINGS = "/v1/responses", "/v1/messages", "/v1/embeddings"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    COMPLETIONS: {"model": "m", "prompt": "hi"},
    RESPONSES: {"model": "m", "input": "hi"},
    MESSAGES: {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    EMBEDDINGS: {"model": "m", "input": "hi"},
    "/tokenize": {"model": "m", "prompt": "hi"},
    "/detokenize": {"model": "m", "tokens": [1, 2]},
}
LIMITS = Limits()
PERMISSIVE = Limits(regex=True, media=True, extra_fields=("n", "min_tokens", "input", "x"))
# Stands for what a client wrote; no message may repeat it.
SECRET = "hunter2"
IMAGE = {"type": "image_url", "image_url": {"url": f"http://169.254.169.254/{SECRET}"}}


def asked(path: str, limits: Limits = LIMITS, **fields: Any) -> Ask:
    return screen(path, BODIES[path] | fields, limits)


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def nest(depth: int) -> dict[str, Any]:
    return {"items": nest(depth - 1)} if depth else {}


def tool(parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def properties(count: int, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{i}": {} for i in range(count)}, **more}


def lengths(count: int) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "maxLength": 100 + i} for i in range(count)]}


def answer_format(schema: Any) -> dict[str, Any]:
    json_schema = {"name": "answer", "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": json_schema}}
