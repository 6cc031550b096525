"""The routes whose bodies this gateway reads, and which fields say what a request costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from serve_app.serving import fields
from serve_app.serving.checks import Check


@dataclass(frozen=True, slots=True)
class Route:
    """What one route takes. Of each tuple in `needs`, a body must have at least one field.

    The model reads the fields in `read`; the first field that is set in `output` bounds what
    it writes, or else `output_tokens`, where None is as much as fits.
    """

    fields: Mapping[str, Check]
    needs: tuple[tuple[str, ...], ...]
    read: tuple[str, ...]
    batch: str = ""
    output: tuple[str, ...] = ()
    output_tokens: int | None = 0


_CHAT_READ = ("messages", "tools", "response_format", "structured_outputs")
ROUTES: Mapping[str, Route] = {
    "/v1/chat/completions": Route(
        fields.CHAT,
        needs=(("messages",),),
        read=_CHAT_READ,
        output=("max_completion_tokens", "max_tokens"),
        output_tokens=None,
    ),
    "/v1/completions": Route(
        fields.COMPLETIONS,
        needs=(("prompt",),),
        read=("prompt",),
        batch="prompt",
        output=("max_tokens",),
        output_tokens=16,
    ),
    "/v1/responses": Route(
        fields.RESPONSES,
        needs=(("input",),),
        read=("input", "instructions", "tools", "text"),
        output=("max_output_tokens",),
        output_tokens=None,
    ),
    "/v1/messages": Route(
        fields.MESSAGES,
        needs=(("messages",), ("max_tokens",)),
        read=("system", "messages", "tools"),
        output=("max_tokens",),
    ),
    "/v1/embeddings": Route(fields.EMBEDDINGS, needs=(("input",),), read=("input",), batch="input"),
    "/tokenize": Route(
        fields.TOKENIZE,
        needs=(("prompt", "messages"),),
        read=("prompt", "messages", "tools"),
    ),
    "/detokenize": Route(fields.DETOKENIZE, needs=(("tokens",),), read=("tokens",)),
}
