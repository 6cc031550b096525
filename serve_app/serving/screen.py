"""What a request asks for, once it is known to be one that an engine may see.

The gateway needs five numbers of a request, and the engine gets the body unchanged; so
what is checked here and what the engine reads must be the same. That is why parsing is
strict, types are strict, and fields that nobody has looked at are refused.

    prompt_tokens = ceil(UTF-8 bytes of all strings and keys that the model reads / 4)
                    + token ids, one each + 1000 for each image, audio or video

Keys, roles and types stand for what the chat template adds. The estimate is for queueing and
for the limit; the engine counts again.
"""

import math
from dataclasses import dataclass
from typing import Any

from serve_app.config import Limits
from serve_app.errors import Malformed, PromptTooLong, RouteNotFound
from serve_app.serving.checks import members
from serve_app.serving.conversation import MEDIA
from serve_app.serving.document import parse, printable
from serve_app.serving.prompts import is_batch
from serve_app.serving.routes import ROUTES, Route

__all__ = ["Ask", "parse", "screen"]

_MEDIA_TYPES = tuple(MEDIA)
_MEDIA_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for. `max_tokens` is for each sequence; None is as many as fit, and
    0 is a route that generates nothing. `prompt_tokens` is for all prompts together."""

    model: str
    stream: bool
    sequences: int
    prompt_tokens: int
    max_tokens: int | None


def screen(path: str, body: dict[str, Any], limits: Limits) -> Ask:
    """Refuse what no engine should see: a `Rejected` that names the field in `param`."""
    route = ROUTES.get(path)
    if route is None:
        raise RouteNotFound(f"there is no route {printable(path)}")
    members(route.fields)(body, limits, "")
    # Fields that the operator lets through are for the engine; nobody has looked at them.
    checked = {field: value for field, value in body.items() if field in route.fields}
    for fields in (("model",), *route.needs):
        if all(checked.get(field) is None for field in fields):
            raise Malformed(f"{' or '.join(fields)} is missing. Send it.", param=fields[0])
    ask = Ask(
        model=checked["model"],
        stream=checked.get("stream") is True,
        sequences=_sequences(route, checked),
        prompt_tokens=_tokens([checked.get(field) for field in route.read], limits),
        max_tokens=_output_tokens(route, checked),
    )
    _check_tokens(ask, checked, route, limits)
    return ask


def _sequences(route: Route, body: dict[str, Any]) -> int:
    prompt = body.get(route.batch)
    prompts = len(prompt) if prompt is not None and is_batch(prompt) else 1
    return prompts * (body.get("n") or 1)


def _output_tokens(route: Route, body: dict[str, Any]) -> int | None:
    for field in route.output:
        if body.get(field) is not None:
            return int(body[field])
    # In a completion, null is not the same as nothing: it asks for as much as fits.
    return None if any(field in body for field in route.output) else route.output_tokens


def _check_tokens(ask: Ask, body: dict[str, Any], route: Route, limits: Limits) -> None:
    if ask.prompt_tokens > limits.prompt_tokens:
        raise PromptTooLong(
            f"the prompt is about {ask.prompt_tokens} tokens; the limit is "
            f"{limits.prompt_tokens} (limits.prompt_tokens). Shorten it.",
            param=route.needs[0][0],
        )
    least = body.get("min_tokens") or 0
    if ask.max_tokens is not None and least > ask.max_tokens:
        raise Malformed(
            f"min_tokens is {least}, more than the {ask.max_tokens} tokens that the answer may "
            "have. Send less, or a larger max_tokens.",
            param="min_tokens",
        )


def _tokens(value: Any, limits: Limits) -> int:
    strings: list[str] = []
    tokens = 0
    rest = [value]
    while rest:
        node = rest.pop()
        if type(node) is str:
            strings.append(node)
        elif type(node) is dict:
            if limits.media and node.get("type") in _MEDIA_TYPES:
                tokens += _MEDIA_TOKENS
            else:
                strings += node
                rest += node.values()
        elif type(node) is list:
            if set(map(type, node)) == {int}:
                tokens += len(node)
            else:
                rest += node
    size = len("".join(strings).encode("utf-8", "surrogatepass"))
    return tokens + math.ceil(size / 4)
