"""Messages, and what they are made of.

Chat messages, Anthropic's messages and the items of /v1/responses have enough in common to be
screened by one set of rules; what belongs to another endpoint is for the engine to refuse.
A content part may have only the fields listed for its type: vLLM looks for media by field as
well as by type, and hands fields that it does not know to the model's chat template.
"""

from typing import Any

from serve_app.config import Limits
from serve_app.errors import Malformed, Unsupported
from serve_app.serving.checks import Check, anything, many, mapping, members, text
from serve_app.serving.document import is_deep
from serve_app.serving.schemas import tools

_ITEMS = (
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
)


def messages(value: Any, limits: Limits, field: str) -> None:
    """A list of messages or items."""
    if type(value) is not list or not value:
        raise Malformed(f"{field} must be a list with at least one message.", param=field)
    many(value, limits, field, most="messages")
    for index, message in enumerate(value):
        _check_message(message, limits, f"{field}[{index}]")


def text_or_messages(value: Any, limits: Limits, field: str) -> None:
    """One string, or a list of items."""
    if type(value) is not str:
        messages(value, limits, field)


def content(value: Any, limits: Limits, field: str) -> None:
    """A string, or a list of parts."""
    if type(value) is str:
        return
    if type(value) is not list:
        raise Malformed(f"{field} must be a string or a list of parts.", param=field)
    for index, part in enumerate(value):
        if type(part) is not str:
            _check_part(part, limits, f"{field}[{index}]")


def _check_message(message: Any, limits: Limits, field: str) -> None:
    mapping(message, limits, field)
    if message.get("type", "message") not in _ITEMS:
        raise Unsupported(
            f"{field}.type is not one of {', '.join(_ITEMS)}. Leave the item out.",
            param=f"{field}.type",
        )
    for key, check in _MESSAGE.items():
        if message.get(key) is not None:
            check(message[key], limits, f"{field}.{key}")


def _check_part(part: Any, limits: Limits, field: str) -> None:
    mapping(part, limits, field)
    kind = part.get("type")
    check = _PARTS.get(kind) if type(kind) is str else None
    if check is None and limits.media and type(kind) is str:
        check = MEDIA.get(kind)
    if check is None:
        raise Unsupported(
            f"{field}.type is not one of {', '.join(_PARTS)}. Images, audio and files are read "
            "only where the operator has set limits.media; send text.",
            param=f"{field}.type",
        )
    check(part, limits, field)


def _tool_calls(value: Any, limits: Limits, field: str) -> None:
    if type(value) is not list:
        raise Malformed(f"{field} must be a list.", param=field)
    for index, call in enumerate(value):
        mapping(call, limits, f"{field}[{index}]")
        function = call.get("function")
        if type(function) is dict:
            _arguments(function.get("arguments"), limits, f"{field}[{index}].function.arguments")


def _arguments(value: Any, limits: Limits, field: str) -> None:
    """JSON inside a string: the engine parses it, and recurses where this file does not."""
    if type(value) is str and is_deep(value, limits.json_depth):
        raise Malformed(
            f"{field} nests more than {limits.json_depth} deep (limits.json_depth). Flatten it.",
            param=field,
        )


_MESSAGE: dict[str, Check] = {
    "content": content,
    "output": content,
    "tool_calls": _tool_calls,
    "arguments": _arguments,
    "tools": tools,
}


_ANY_PART: dict[str, Check] = {
    "type": text,
    "id": anything,
    "cache_control": anything,
    "prompt_cache_breakpoint": anything,
}


def _part(**fields: Check) -> Check:
    return members({**_ANY_PART, **fields})


_TEXT = _part(text=text, annotations=anything, logprobs=anything, citations=anything)
_PARTS: dict[str, Check] = {
    "text": _TEXT,
    "input_text": _TEXT,
    "output_text": _TEXT,
    "reasoning_text": _TEXT,
    "refusal": _part(refusal=text),
    "thinking": _part(thinking=text, signature=text, closed=anything),
    "redacted_thinking": _part(data=text),
    "tool_use": _part(name=text, input=mapping, caller=anything),
    "tool_result": _part(tool_use_id=text, content=content, is_error=anything),
    "tool_reference": _part(name=text, tool_name=text),
}
# Without embeddings: tensors of a client's making have crashed and corrupted engines.
MEDIA: dict[str, Check] = {
    "image": _part(source=mapping),
    "image_url": _part(image_url=anything, detail=text, uuid=text),
    "input_image": _part(image_url=anything, detail=text),
    "video_url": _part(video_url=anything, uuid=text),
    "audio_url": _part(audio_url=anything, uuid=text),
    "input_audio": _part(input_audio=anything, uuid=text),
}
