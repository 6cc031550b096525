"""A block of ours against its pydantic model in `serve_app.config`.

Pydantic says what is wrong. The message adds what would be right: the legal range, the
nearest key.
"""

import reprlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from serve_app.checking.annotation import inside, is_block, members
from serve_app.checking.legal import described, legal
from serve_app.checking.problem import KeyPath, Problem, Problems, nearest
from serve_app.config import Knobs


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is: its path as people write it, the type around it, and its own.

    `is_other` where pydantic tried a member of a union that is no block.
    """

    path: KeyPath
    around: Any
    here: Any
    is_other: bool


def knob_problems(model: type[Knobs], values: object, *, shows_values: bool = True) -> Problems:
    """Everything that keeps `values` from being a `model`."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        found: dict[Problem, None] = {}  # a union says the same thing once for each member
        for details in error.errors(include_url=False):
            place = _place(model, details["loc"])
            if not (place.is_other and isinstance(details["input"], Mapping)):
                message = _explain(place, details, shows_values=shows_values)
                found[Problem(place.path, message)] = None
        yield from found


def _place(model: type[Knobs], loc: KeyPath) -> _Place:
    path: KeyPath = ()
    around: Any = None
    here: Any = model
    is_other = False
    for part in loc:
        choices = members(here)
        if len(choices) > 1:  # pydantic adds the name of the member that it tried
            here = next((c for c in choices if is_block(c) and c.__name__ == part), None)
            is_other = here is None
        elif part == "[key]":  # the name of what is here is wrong
            here = typing.get_args(around)[0]
        else:
            around, here = choices[0], inside(choices[0], part)
            path = (*path, part)
    return _Place(path, around, here, is_other)


def _explain(place: _Place, error: ErrorDetails, *, shows_values: bool) -> str:
    value = f"{reprlib.repr(error['input'])}: " if shows_values else ""
    fields = place.around.model_fields if is_block(place.around) else {}
    name = str(place.path[-1]) if place.path else ""
    if name in fields:
        wanted = legal(fields[name])
        return f"is missing: {wanted}" if error["type"] == "missing" else f"{value}must be {wanted}"
    if error["type"] == "extra_forbidden":
        return "unknown key" + nearest(name, fields)
    if is_block(place.here) or error["loc"][-1:] == ("[key]",):
        return f"{value}must be {described(place.here)}"
    return f"{value}{error['msg']}"
