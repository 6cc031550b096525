"""JSON schemas that a client wants obeyed: tools, response formats, structured outputs.

An engine compiles them into a grammar before the first token, and some small ones never
finish. Measured with xgrammar 0.2.8 and a vocabulary of 49 thousand tokens, in CPU seconds:

* 256 optional properties and minProperties: 183 (16 properties: 0.02)
* 3000 optional properties: 147 (256: 0.1)
* 16 strings of different maxLength: 19, one each; 16 of the same: 1.4
* a regular expression such as (a+)+b: some never end

So bytes, depth, members of one object and bounds are limited, and regular expressions are
refused unless the operator allows them.
"""

import json
from collections.abc import Iterator
from typing import Any

from serve_app.config import Limits
from serve_app.errors import Malformed, Unsupported
from serve_app.serving.checks import anything, flag, many, members, one_of, text
from serve_app.serving.document import parse_value

_TOOL_TYPES = ("function", "custom", "namespace")
# A tool's schema sits in function.parameters, or less deep.
_TOOL_WRAPPER = 2
# All tools together, in multiples of the largest one.
_TOOLS_TOGETHER = 4
# Where minProperties or maxProperties is set: the grammar counts the properties it has seen.
_COUNTED_MEMBERS = 32
_COMPACT = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_COSTLY = frozenset(
    (
        "pattern",
        "patternProperties",
        "minLength",
        "maxLength",
        "minProperties",
        "maxProperties",
    )
)


def schema(value: Any, limits: Limits, field: str) -> None:
    """A JSON schema, or the text of one."""
    if type(value) is str:
        value = parse_value(value.encode("utf-8", "surrogatepass"), limits, field)
    _check_bytes(value, limits.schema_bytes, field)
    _check_bounds(_walk(value, limits, field, limits.schema_depth), limits, field)


def tools(value: Any, limits: Limits, field: str) -> None:
    """A list of tools. Others than functions would be run by the engine."""
    if type(value) is not list:
        raise Malformed(f"{field} must be a list of tools.", param=field)
    many(value, limits, field, most="tools")
    total = 0
    bounds: set[object] = set()
    for index, tool in enumerate(value):
        where = f"{field}[{index}]"
        _check_type(tool, where)
        total += _check_bytes(tool, limits.schema_bytes, where)
        bounds |= _walk(tool, limits, where, limits.schema_depth + _TOOL_WRAPPER)
    _check_total(total, _TOOLS_TOGETHER * limits.schema_bytes, field)
    _check_bounds(bounds, limits, field)


def grammar(_value: Any, limits: Limits, field: str) -> None:
    """A regular expression or a grammar."""
    if not limits.regex:
        raise Unsupported(
            f"{field} holds a regular expression or a grammar, and some never finish compiling. "
            "Send a JSON schema without any, or have the operator set limits.regex.",
            param=field,
        )


structured_outputs = members(
    {
        "json": schema,
        "json_object": flag,
        "choice": schema,
        "disable_any_whitespace": flag,
        "disable_additional_properties": flag,
        "regex": grammar,
        "grammar": grammar,
        "structural_tag": grammar,
        "whitespace_pattern": grammar,
    }
)
_json_schema = {"name": text, "description": text, "strict": flag, "schema": schema}
_format_type = one_of("text", "json_object", "json_schema", "structural_tag")
response_format = members(
    {
        "type": _format_type,
        "json_schema": members(_json_schema),
        "format": grammar,
        "structures": grammar,
        "triggers": grammar,
    }
)
text_config = members(
    {"format": members({"type": _format_type, **_json_schema}), "verbosity": anything}
)
output_config = members(
    {"effort": anything, "format": members({"type": _format_type, "schema": schema})}
)


def _check_type(tool: Any, field: str) -> None:
    if type(tool) is not dict:
        raise Malformed(f"{field} must be an object.", param=field)
    if tool.get("type", "function") not in (*_TOOL_TYPES, None):
        raise Unsupported(
            f"{field}.type is not one of {', '.join(_TOOL_TYPES)}. Run other tools yourself.",
            param=f"{field}.type",
        )


def _check_bytes(value: Any, limit: int, field: str) -> int:
    size = len(_COMPACT.encode(value))
    _check_total(size, limit, field)
    return size


def _check_total(size: int, limit: int, field: str) -> None:
    if size > limit:
        raise Malformed(
            f"{field} has {size} bytes; the limit is {limit} (limits.schema_bytes). Shorten it.",
            param=field,
        )


def _walk(value: Any, limits: Limits, field: str, depth: int) -> set[object]:
    """Look at every object in a schema, level by level; returns the bounds that it sets."""
    bounds: set[object] = set()
    level = [value]
    for _ in range(depth):
        for node in level:
            if type(node) is dict:
                _check_members(len(node), limits.schema_members, field)
                if not _COSTLY.isdisjoint(node):
                    bounds.update(_bounds(node))
                    _check_costly(node, limits, field)
        level = [inner for node in level for inner in _nested(node)]
        if not level:
            return bounds
    raise Malformed(
        f"{field} nests more than {depth} deep (limits.schema_depth). Flatten it.", param=field
    )


def _nested(node: Any) -> list[Any]:
    if type(node) is dict:
        node = node.values()
    elif type(node) is not list:
        return []
    return [inner for inner in node if type(inner) is dict or type(inner) is list]


def _check_members(count: int, limit: int, field: str) -> None:
    if count > limit:
        raise Malformed(
            f"{field} has an object of {count} members; the limit is {limit} "
            "(limits.schema_members). Split it.",
            param=field,
        )


def _check_costly(node: dict[str, Any], limits: Limits, field: str) -> None:
    # A property of the name "pattern" has an object here, and is no regular expression.
    if type(node.get("pattern")) is str or node.get("patternProperties"):
        grammar(node, limits, field)
    properties = node.get("properties")
    if _counts(node) and type(properties) is dict and len(properties) > _COUNTED_MEMBERS:
        raise Malformed(
            f"{field} has an object of {len(properties)} properties with minProperties or "
            f"maxProperties; the limit is {_COUNTED_MEMBERS}. Use required instead.",
            param=field,
        )


def _counts(node: dict[str, Any]) -> bool:
    return type(node.get("minProperties")) is int or type(node.get("maxProperties")) is int


def _bounds(node: dict[str, Any]) -> Iterator[object]:
    """What makes a grammar large: alike bounds of strings are compiled once, counts each time."""
    lengths = (node.get("minLength"), node.get("maxLength"))
    if int in map(type, lengths):
        yield tuple(length if type(length) is int else None for length in lengths)
    if _counts(node):
        yield id(node)


def _check_bounds(bounds: set[object], limits: Limits, field: str) -> None:
    if len(bounds) > limits.schema_bounds:
        raise Malformed(
            f"{field} sets {len(bounds)} different bounds with minLength, maxLength, "
            f"minProperties or maxProperties; the limit is {limits.schema_bounds} "
            "(limits.schema_bounds). Leave some out.",
            param=field,
        )
