"""The values that a knob may have, in words."""

import typing
from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from serve_app.checking.annotation import block_in, is_block, is_nullable, members
from serve_app.config import Knobs

WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    AwareDatetime: "a time with its zone, such as 2030-01-31T12:00:00Z",
}
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def legal(field: FieldInfo) -> str:
    """The values that a knob may have, in words: `a number > 0 and ≤ 1`."""
    return described(field.annotation, field.metadata)


def described(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """The values of a type with these limits.

    >>> described(int | None), described(tuple[str, ...])
    ('a whole number, or null', 'a list of text')
    """
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *given = typing.get_args(annotation)
        metadata = [limit for field in given for limit in field.metadata]
    limits = list(metadata)
    words = " or ".join(_words(part) for part in sorted(members(annotation), key=is_block))
    bounds = _bounds(limits)
    null = ", or null" if is_nullable(annotation) else ""
    return " ".join([words, " and ".join(bounds)]).rstrip() + _shape(limits) + null


def _bounds(limits: list[Any]) -> list[str]:
    return [
        words.format(getattr(limit, name))
        for limit in limits
        for name, words in BOUNDS.items()
        if hasattr(limit, name)
    ]


def _shape(limits: list[Any]) -> str:
    filled = ", not empty" if any(hasattr(limit, "min_length") for limit in limits) else ""
    patterns = [limit.pattern for limit in limits if getattr(limit, "pattern", None)]
    return filled + "".join(f" that matches {pattern}" for pattern in patterns)


def _words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    block = block_in(annotation)
    if origin is typing.Literal:
        return " or ".join(arguments)
    if origin is tuple:
        return "a list of " + (f"blocks of {_keys(block)}" if block else _words(arguments[0]))
    if origin is dict and block:
        return f"a mapping of names to blocks of {_keys(block)}"
    return f"a block of {_keys(annotation)}" if is_block(annotation) else _named(annotation)


def _named(annotation: Any) -> str:
    return WORDS.get(annotation, "a mapping")


def _keys(block: type[Knobs]) -> str:
    return ", ".join(block.model_fields)
