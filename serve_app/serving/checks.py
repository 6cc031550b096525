"""What the value of one body field may be.

A check looks at a value and raises; a table of checks says which fields there are. Types are
strict, because vLLM's are not: it reads "1000" and 1000.0 and true as integers, and a number
that this file did not see as one would be a number without a limit.

Messages never repeat what a client wrote, except numbers and names of fields.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from serve_app.config import Limits
from serve_app.errors import Malformed, Unsupported
from serve_app.serving.document import printable

Check = Callable[[Any, Limits, str], None]

# What clients send out of habit, and what to send instead.
_INSTEAD = {
    "functions": "tools",
    "function_call": "tool_choice",
    "guided_json": "structured_outputs",
    "guided_choice": "structured_outputs",
    "guided_regex": "structured_outputs",
    "guided_grammar": "structured_outputs",
    "output_format": "output_config",
    "previous_response_id": "input, with the whole conversation: answers are not kept",
    "conversation": "input, with the whole conversation: answers are not kept",
}


def members(table: Mapping[str, Check]) -> Check:
    """An object that has no other fields than these. A field that is null counts as absent."""

    def check(value: Any, limits: Limits, field: str) -> None:
        if type(value) is not dict:
            raise Malformed(f"{field} must be an object.", param=field)
        for key, inner in value.items():
            known = table.get(key)
            if known is None:
                _refuse_unless_allowed(key, limits, field, table)
            elif inner is not None:
                known(inner, limits, f"{field}.{key}" if field else key)

    return check


def _refuse_unless_allowed(
    key: str, limits: Limits, field: str, table: Mapping[str, Check]
) -> None:
    if key in limits.extra_fields:
        return
    name = printable(key)
    near = get_close_matches(name, table, n=1, cutoff=0.8)
    instead = _INSTEAD.get(key) or (near[0] if near else "")
    advice = f"Send {instead} instead." if instead else "Leave it out."
    where = f"{field}.{name}" if field else name
    message = f"{where} is not a field that this gateway lets through. {advice}"
    raise Unsupported(message, param=where)


def anything(_value: Any, _limits: Limits, _field: str) -> None:
    """Any value: it costs nothing, and what is wrong with it the engine says."""


def flag(value: Any, _limits: Limits, field: str) -> None:
    """true or false."""
    if type(value) is not bool:
        raise Malformed(f"{field} must be true or false.", param=field)


def text(value: Any, _limits: Limits, field: str) -> None:
    """A string."""
    if type(value) is not str:
        raise Malformed(f"{field} must be a string.", param=field)


def mapping(value: Any, _limits: Limits, field: str) -> None:
    """An object with any members."""
    if type(value) is not dict:
        raise Malformed(f"{field} must be an object.", param=field)


def name(value: Any, limits: Limits, field: str) -> None:
    """A string of 1 to 256 characters."""
    text(value, limits, field)
    if not 1 <= len(value) <= 256:
        raise Malformed(f"{field} has {len(value)} characters; send 1 to 256.", param=field)


def only(accepted: Any, why: str) -> Check:
    """One value, because the others ask for what this gateway does not do."""

    def check(value: Any, _limits: Limits, field: str) -> None:
        if value != accepted or type(value) is not type(accepted):
            raise Unsupported(f"{field} is not supported: {why}.", param=field)

    return check


def one_of(*accepted: str) -> Check:
    """One of a few strings."""

    def check(value: Any, _limits: Limits, field: str) -> None:
        if value not in accepted:
            raise Malformed(f"{field} must be one of {', '.join(accepted)}.", param=field)

    return check


def integer(low: int, high: int | str) -> Check:
    """An integer from `low` to `high`, a number or the name of the limit that holds it."""

    def check(value: Any, limits: Limits, field: str) -> None:
        most = getattr(limits, high) if isinstance(high, str) else high
        if type(value) is not int:
            raise Malformed(f"{field} must be an integer.", param=field)
        if not low <= value <= most:
            knob = f" (limits.{high})" if isinstance(high, str) else ""
            raise Malformed(f"{field} is {_shown(value)}; send {low} to {most}{knob}.", param=field)

    return check


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`."""

    def check(value: Any, _limits: Limits, field: str) -> None:
        if type(value) is not int and type(value) is not float:
            raise Malformed(f"{field} must be a number.", param=field)
        if not low <= value <= high:
            message = f"{field} is {_shown(value)}; send {low:g} to {high:g}."
            raise Malformed(message, param=field)

    return check


def many(value: Any, limits: Limits, field: str, *, most: str) -> None:
    """A list, or another collection, of at most as many entries as the limit `most`."""
    limit = getattr(limits, most)
    if len(value) > limit:
        raise Malformed(
            f"{field} has {len(value)} entries; the limit is {limit} (limits.{most}).", param=field
        )


def stop(value: Any, limits: Limits, field: str) -> None:
    """A stop string, or a list of them."""
    strings = [value] if type(value) is str else value
    if type(strings) is not list or any(type(string) is not str for string in strings):
        raise Malformed(f"{field} must be a string or a list of strings.", param=field)
    many(strings, limits, field, most="stop")
    longest = max(map(len, strings), default=0)
    if longest > limits.stop_chars:
        raise Malformed(
            f"{field} has a string of {longest} characters; "
            f"the limit is {limits.stop_chars} (limits.stop_chars).",
            param=field,
        )


def logit_bias(value: Any, limits: Limits, field: str) -> None:
    """An object of token ids, as strings of digits, and biases from -100 to 100."""
    mapping(value, limits, field)
    many(value, limits, field, most="logit_bias")
    for key, bias in value.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 10):
            raise Malformed(f"{field} has a key that is not a token id.", param=field)
        _BIAS(bias, limits, f"{field}.{key}")


_BIAS = number(-100, 100)


def _shown(value: float) -> str:
    return f"{value}" if abs(value) < 2**63 else "far larger"
