"""The type of a knob, taken apart: members of a union, items of a list, blocks in blocks."""

import types
import typing
from typing import Any, TypeGuard

from serve_app.config import Knobs


def is_block(annotation: object) -> TypeGuard[type[Knobs]]:
    """Whether this is a block of knobs, and no value."""
    return isinstance(annotation, type) and issubclass(annotation, Knobs)


def members(annotation: Any) -> tuple[Any, ...]:
    """What a union is made of, but for None; of anything else, itself."""
    if typing.get_origin(annotation) not in {typing.Union, types.UnionType}:
        return (annotation,)
    return tuple(part for part in typing.get_args(annotation) if part is not types.NoneType)


def is_nullable(annotation: Any) -> bool:
    return types.NoneType in typing.get_args(annotation)


def inside(annotation: Any, part: str | int) -> Any:
    """The type of what lies at `part` of such a value; None where nobody knows.

    >>> inside(dict[str, int], "any"), inside(tuple[float, ...], 3), inside(bool, "x")
    (<class 'int'>, <class 'float'>, None)
    """
    if is_block(annotation):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    position = {dict: 1, tuple: 0}.get(typing.get_origin(annotation) or annotation)
    return None if position is None else typing.get_args(annotation)[position]


def block_in(annotation: Any) -> type[Knobs] | None:
    """The block that a mapping of names, or a list, holds many of."""
    held = inside(annotation, 0)
    return held if is_block(held) and not is_block(annotation) else None
