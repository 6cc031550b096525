"""A block of ours against its pydantic model in `serve_app.config`.

Pydantic says what is wrong. The message adds what would be right: the legal range, the
nearest key.
"""

import reprlib
import typing
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from serve_app.checking.problem import KeyPath, Problem, Problems, nearest
from serve_app.config import Knobs

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def knob_problems(model: type[Knobs], values: object) -> Problems:
    """Everything that keeps `values` from being a `model`."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            yield Problem(details["loc"], _explain(model, details))


def _explain(model: type[Knobs], error: ErrorDetails) -> str:
    path, value = error["loc"], reprlib.repr(error["input"])
    block = _block(model, path[:-1])
    if not path or block is None:
        return f"{value}: {error['msg']}"
    name = str(path[-1])
    if error["type"] == "extra_forbidden":
        return "unknown key" + nearest(name, block.model_fields)
    wanted = legal(block.model_fields[name])
    return f"is missing: {wanted}" if error["type"] == "missing" else f"{value}: must be {wanted}"


def _block(model: type[Knobs], path: KeyPath) -> type[Knobs] | None:
    """The model of the block at `path`; None inside a list or a free mapping."""
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, Knobs)):
            return None
        model = annotation
    return model


def legal(field: FieldInfo) -> str:
    """The values that a knob may have, in words: `a number > 0 and ≤ 1`."""
    limits = [
        words.format(getattr(limit, name))
        for limit in field.metadata
        for name, words in BOUNDS.items()
        if hasattr(limit, name)
    ]
    filled = ", not empty" if any(hasattr(limit, "min_length") for limit in field.metadata) else ""
    return " ".join([_words(field.annotation), " and ".join(limits)]).rstrip() + filled


def _words(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return f"a list of {_words(typing.get_args(annotation)[0])}"
    return WORDS.get(annotation, "a mapping")
