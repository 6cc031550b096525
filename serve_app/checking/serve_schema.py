"""A document against Serve's own schema, read strictly.

Serve ignores unknown keys without a word at every level, and does not look into the
mappings (`autoscaling_config`, …) that it turns into objects only later, on the cluster.
"""

import reprlib
import typing
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ray.serve.config import AutoscalingPolicy
from ray.serve.schema import DeploymentSchema, ServeApplicationSchema, ServeDeploySchema

from serve_app.checking.problem import KeyPath, Problem, Problems, nearest

IMPORTS = {"policy_function", "request_router_class"}


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the document that Serve reads into one of its models.

    Where a field may be `is_free`, Serve takes any mapping, and validates it on the cluster.
    """

    model: type[BaseModel]
    path: KeyPath
    value: Any
    is_free: bool = False


def shape_problems(document: object) -> Problems:
    """Blocks that are not mappings: nothing else can be said about them."""
    for block in blocks(document):
        if not isinstance(block.value, dict):
            yield Problem(block.path, f"{reprlib.repr(block.value)}: must be a mapping")


def key_problems(document: object) -> Problems:
    """Keys that Serve would ignore; `document` has the right shape."""
    for block in blocks(document):
        for key in block.value:
            if key not in block.model.model_fields:
                near = nearest(key, block.model.model_fields)
                yield Problem((*block.path, str(key)), "unknown key" + near)


def value_problems(document: object) -> Problems:
    """Values that Serve refuses, now or on the cluster; `document` has the right shape."""
    found: dict[Problem, None] = {}
    for block in blocks(_without_imports(document)):
        if block.is_free or not block.path:
            found |= dict.fromkeys(_refused(block))
        if block.model is DeploymentSchema:
            found |= dict.fromkeys(_refused_alone(block))
    yield from found


def blocks(document: object) -> Iterator[Block]:
    """Every part of the document that Serve reads into a model, the document first."""
    found = [Block(ServeDeploySchema, (), document)]
    while found:
        block = found.pop()
        yield block
        if isinstance(block.value, dict):
            found.extend(_inside(block))


def _inside(block: Block) -> Iterator[Block]:
    for name, field in block.model.model_fields.items():
        kinds = set(_leaves(field.annotation))
        if block.model is ServeApplicationSchema and name == "autoscaling_policy":
            kinds.add(AutoscalingPolicy)  # Serve calls it a mapping
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        value = block.value.get(name)
        if not models or value is None:
            continue
        parts = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, part in parts:
            path = (*block.path, name) if index is None else (*block.path, name, index)
            yield Block(models[0], path, part, is_free=dict in kinds)


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of: Optional[List[A]] is made of A and None."""
    origin = typing.get_origin(annotation)
    if origin in {None, dict}:
        yield origin or annotation
        return
    for part in typing.get_args(annotation):
        yield from _leaves(part)


def _without_imports(value: Any) -> Any:
    """Serve's models import what they name, and an import that fails hides every other problem."""
    if isinstance(value, dict):
        return {key: _without_imports(v) for key, v in value.items() if key not in IMPORTS}
    return [_without_imports(v) for v in value] if isinstance(value, list) else value


def _refused_alone(block: Block) -> Problems:
    """Keys judged one by one: Serve says nothing of the others where two contradict each other."""
    depth = len(block.path)
    for key, value in block.value.items():
        for problem in _refused(replace(block, value={key: value})):
            if problem.path[depth : depth + 1] in {(), (key,)}:
                yield problem


def _refused(block: Block) -> Problems:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the intervals they are about are checked elsewhere
            block.model.model_validate(block.value)
    except ValidationError as error:
        found: dict[KeyPath, list[str]] = {}
        for details in error.errors(include_url=False):
            if not _is_said_elsewhere(details):
                found.setdefault(_place(details, block.value), []).append(_words(details))
        for path, words in found.items():
            yield Problem((*block.path, *path), "; or ".join(words))
    except NotImplementedError as error:
        yield Problem(block.path, str(error))


def _is_said_elsewhere(error: ErrorDetails) -> bool:
    """Unknown keys, and names and routes that two applications have: said at the key itself."""
    is_list = error["loc"] == ("applications",) and error["type"] == "value_error"
    return is_list or error["type"] == "extra_forbidden"


def _place(error: ErrorDetails, value: Any) -> KeyPath:
    """The error's path, without what pydantic adds for the members of a union."""
    path: KeyPath = error["loc"]
    for depth, part in enumerate(path):
        try:
            value = value[part]
        except (LookupError, TypeError):
            missing = path[-1:] if error["type"] == "missing" else ()
            return path[:depth] + missing
    return path


def _words(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    is_scalar = not isinstance(error["input"], dict | list)
    return f"{error['input']!r}: {message}" if is_scalar else message
