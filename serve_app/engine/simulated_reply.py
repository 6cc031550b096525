"""The simulated engine's answers as OpenAI's bytes: one JSON document, or a stream of events.

A stream sends one event per token, so all of an event but the token's text is formatted
once per choice. What chat, tool calls and plain completions say differently is a `Shape`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from serve_app.engine.protocol import Usage
from serve_app.engine.simulated_text import Answer

Fields = dict[str, Any]
DONE = b"data: [DONE]\n\n"
_GAP = "\0"  # stands where the text of a token goes


@dataclass(frozen=True, slots=True)
class Shape:
    """What a choice says in the events before, with and after its text, and in a document."""

    id_prefix: str
    event_object: str
    document_object: str
    opening: tuple[Fields, ...]
    piece: Callable[[str], Fields]
    closing: Fields
    whole: Callable[[str], Fields]


TEXT = Shape(
    id_prefix="cmpl-",
    event_object="text_completion",
    document_object="text_completion",
    opening=(),
    piece=lambda text: {"text": text},
    closing={"text": ""},
    whole=lambda text: {"text": text},
)
CHAT = Shape(
    id_prefix="chatcmpl-",
    event_object="chat.completion.chunk",
    document_object="chat.completion",
    opening=({"delta": {"role": "assistant", "content": ""}},),
    piece=lambda text: {"delta": {"content": text}},
    closing={"delta": {}},
    whole=lambda text: {"message": {"role": "assistant", "content": text}},
)


def tool_call(call_id: str, name: str) -> Shape:
    """Chat that calls one tool; the text is its arguments."""

    def call(arguments: str) -> Fields:
        function = {"name": name, "arguments": arguments}
        return {"id": call_id, "type": "function", "function": function}

    def piece(text: str) -> Fields:
        return {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}

    def whole(text: str) -> Fields:
        return {"message": {"role": "assistant", "content": None, "tool_calls": [call(text)]}}

    header = {"delta": {"tool_calls": [{"index": 0, **call("")}]}}
    return replace(CHAT, opening=(*CHAT.opening, header), piece=piece, whole=whole)


@dataclass(frozen=True, slots=True)
class Choice:
    """One sequence to run, and what it will say."""

    prompt_ids: tuple[int, ...]
    answer: Answer


@dataclass(frozen=True)
class Reply:
    """All that one request will be told, to be given away token by token.

    `about` are the fields that every event repeats; `n` neighbouring choices share a prompt.
    """

    shape: Shape
    about: Fields
    choices: Sequence[Choice]
    n: int
    streams: bool
    include_usage: bool

    def events(self, choice: int, first: int, end: int) -> bytes:
        """What a stream says with the tokens from `first` to before `end` of a choice."""
        if not self.streams:
            return b""
        opening, before, after, closing = self._formatted[choice]
        texts = self.choices[choice].answer.texts
        text = "".join(texts[first:end])
        data = before + json.dumps(text).encode() + after if text else b""
        if first == 0:
            data = opening + data
        return data + closing if end == len(texts) else data

    def tail(self, usage: Usage) -> bytes:
        """What follows the last token: the end of the stream, or the whole document."""
        if not self.streams:
            return self._document(usage)
        return (self._event([], usage) if self.include_usage else b"") + DONE

    @cached_property
    def _formatted(self) -> list[tuple[bytes, bytes, bytes, bytes]]:
        return [self._format(i, choice.answer) for i, choice in enumerate(self.choices)]

    def _format(self, index: int, answer: Answer) -> tuple[bytes, bytes, bytes, bytes]:
        opening = b"".join(self._event([_choice(index, said)]) for said in self.shape.opening)
        piece = self._event([_choice(index, self.shape.piece(_GAP))])
        before, _, after = piece.partition(json.dumps(_GAP).encode())
        closing = self._event([_choice(index, self.shape.closing, answer.finish_reason)])
        return opening, before, after, closing

    def _event(self, choices: list[Fields], usage: Usage | None = None) -> bytes:
        event = {"object": self.shape.event_object, **self.about, "choices": choices}
        if usage is not None:
            event["usage"] = _usage(usage)
        return b"data: " + json.dumps(event).encode() + b"\n\n"

    def _document(self, usage: Usage) -> bytes:
        choices = [
            _choice(i, self.shape.whole("".join(c.answer.texts)), c.answer.finish_reason)
            for i, c in enumerate(self.choices)
        ]
        document = {"object": self.shape.document_object, **self.about, "choices": choices}
        return json.dumps({**document, "usage": _usage(usage)}).encode()


def _choice(index: int, said: Fields, finish_reason: str | None = None) -> Fields:
    return {"index": index, **said, "logprobs": None, "finish_reason": finish_reason}


def _usage(usage: Usage) -> Fields:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
