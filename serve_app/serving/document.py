"""From the bytes of a body to a JSON object that means the same to every reader.

What parsers disagree about is refused: duplicate keys, NaN and infinities, byte order marks
and encodings other than UTF-8. So are lone surrogates, which no tokenizer can encode. NUL
characters are ordinary text to JSON and to every tokenizer, and are let through.

Size is judged before the parser builds anything. With its strings cut out, a document is
punctuation: its brackets tell the depth, its commas and brackets the number of values. A
value of 3 bytes costs up to 180 bytes of memory, and so values are counted.
"""

import json
import math
import re
from collections import Counter
from typing import Any, Never

from serve_app.config import Limits
from serve_app.errors import Malformed

# Keys, strings, arrays and objects in one body. Only token ids may be more numerous.
_MOST_PARTS = 50_000

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F])"
)


def parse(raw: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object in a request body, or `Malformed`."""
    body = parse_value(raw, limits, None)
    if type(body) is not dict:
        raise Malformed('the body is JSON, but not an object. Send {"model": ..., ...}.')
    return body


def parse_value(raw: bytes, limits: Limits, field: str | None) -> Any:
    """The JSON value in `raw`, which is the body or the text in `field`; else `Malformed`."""
    where = field or "the body"
    if problem := _problem(_unescaped(raw), limits):
        raise Malformed(f"{where} {problem}", param=field)
    try:
        return _DECODER.decode(raw.decode())
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} (character {error.pos})."
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: invalid byte at {error.start}."
    except _NotStrict as error:
        problem = f"{error}"
    except ValueError:
        problem = "holds an integer of more digits than Python reads. Send a shorter one."
    raise Malformed(f"{where} {problem}", param=field)


def is_deep(text: str, depth: int) -> bool:
    """Whether a text, if it is JSON, nests arrays and objects more than `depth` deep."""
    if text.count("[") + text.count("{") <= depth:
        return False
    return _deeper(_punctuation(_unescaped(text.encode("utf-8", "surrogatepass"))), depth)


def printable(name: str) -> str:
    """A client's field name, fit for a message or a log line: ASCII, at most 64 characters."""
    return ascii(name[:64])[1:-1]


def _problem(unescaped: bytes, limits: Limits) -> str | None:
    # Two quotes to a string, and a key and a string to a member.
    if unescaped.count(b'"') > 4 * _MOST_PARTS:
        return f"holds more than {2 * _MOST_PARTS} keys and strings. Send less."
    marks = _punctuation(unescaped)
    if marks.count(b"[") + marks.count(b"{") > _MOST_PARTS:
        return f"holds more than {_MOST_PARTS} arrays and objects. Send less."
    most = limits.prompt_tokens + _MOST_PARTS
    if marks.count(b",") > most:
        return f"holds more than {most} JSON values. Send less."
    if _deeper(marks, limits.json_depth):
        return f"nests more than {limits.json_depth} deep (limits.json_depth). Flatten it."
    if _LONE_SURROGATE.search(unescaped):
        return "escapes half a surrogate pair, which is no character. Send both halves."
    return None


def _unescaped(raw: bytes) -> bytes:
    """The same JSON without escaped backslashes and quotes: now every quote is a delimiter."""
    if b"\\" not in raw:
        return raw
    return raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def _punctuation(unescaped: bytes) -> bytes:
    """Everything outside strings."""
    return b"".join(unescaped.split(b'"')[::2])


def _deeper(marks: bytes, depth: int) -> bool:
    """Peels one level of brackets per round: linear, and without recursion."""
    brackets = marks.translate(_ALIKE, _NOT_BRACKETS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    # What is left over but never closed is for the parser to refuse, if it is shallow.
    return b"[]" in brackets or brackets.count(b"[") > depth


class _NotStrict(ValueError):
    """What Python's parser lets pass and this one does not."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = next(key for key, count in Counter(k for k, _ in pairs).items() if count > 1)
        raise _NotStrict(f"has the key '{printable(twice)}' twice in one object. Send it once.")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _NotStrict("holds a number that is too large. Send one below 1e308.")
    return value


def _not_a_number(name: str) -> Never:
    raise _NotStrict(f"holds {name}, which is not JSON. Send a number or null.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_not_a_number
)
