"""The simulated engine's language: tokens without a vocabulary, answers without a model.

A token is up to four bytes of UTF-8, and its id is those bytes read as one big-endian
number, so that any replica can turn ids back into text. An answer repeats its prompt
until it is long enough, beginning `shift` tokens into it for a seed or a further choice.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from typing import Any

MAX_TOKEN_ID = 2**32 - 1
# A space and three characters, four characters, or one character that is not plain ASCII.
_PIECE = re.compile(rb" [!-~]{1,3}|[!-~]{1,4}|[\xc0-\xff][\x80-\xbf]+|.", re.DOTALL)
_LEAST = {"array": (), "string": "", "integer": 0, "number": 0, "boolean": False}


def tokenize(text: str) -> tuple[int, ...]:
    """Token ids of a text.

    >>> tokenize("hi, you")
    (6842668, 544829301)
    """
    pieces = _PIECE.findall(text.encode(errors="replace"))
    return tuple(int.from_bytes(piece, "big") for piece in pieces)


def detokenize(ids: Iterable[int]) -> str:
    """The text that ids stand for; ids of no text become U+FFFD.

    >>> detokenize((6842668, 544829301))
    'hi, you'
    """
    pieces = (token.to_bytes((token.bit_length() + 7) // 8 or 1, "big") for token in ids)
    return b"".join(pieces).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Answer:
    """Tokens, the text that each of them adds, and why there are no more."""

    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
    finish_reason: str


def echo(prompt: str, *, shift: int, max_tokens: int, stop: Sequence[str]) -> Answer:
    """The prompt, over and over, up to `max_tokens` or to a stop string.

    The ids are those of the text, so that the answer is a cached prefix in the next turn.
    """
    again = tokenize(" " + prompt)
    first = shift % len(again)
    endless = chain(tokenize(prompt), cycle(again))
    ids = tuple(islice(endless, first, first + max_tokens))
    return _until(stop, Answer(ids, _texts(ids), "length"))


def recite(value: Any, *, max_tokens: int, finish_reason: str = "stop") -> Answer:
    """A JSON value, which has an end, unless `max_tokens` come first."""
    whole = tokenize(json.dumps(value))
    ids = whole[:max_tokens]
    return Answer(ids, _texts(ids), finish_reason if ids == whole else "length")


def smallest(schema: dict[str, Any]) -> Any:
    """The least instance of a simple JSON schema; null where it is not simple.

    >>> smallest({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    {'n': 0}
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind != "object":
        return _LEAST.get(str(kind))
    fields = schema.get("properties", {})
    return {name: smallest(fields.get(name, {})) for name in schema.get("required", ())}


def _texts(ids: Iterable[int]) -> tuple[str, ...]:
    return tuple(detokenize((token,)) for token in ids)


def _until(stop: Sequence[str], answer: Answer) -> Answer:
    """Cut the text before the stop string that is complete first, and the tokens after it."""
    whole = "".join(answer.texts)
    found = [(whole.find(word) + len(word), whole.find(word)) for word in stop if word in whole]
    if not found:
        return answer
    end, start = min(found)
    texts: list[str] = []
    position = 0
    for text in answer.texts:
        if position >= end:
            break
        texts.append(text[: max(0, start - position)])
        position += len(text)
    return Answer(answer.token_ids[: len(texts)], tuple(texts), "stop")
