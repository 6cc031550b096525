"""A question that makes no sense, and how one option of a command line holds several values."""

import math
import re
from collections.abc import Collection

from serve_app.checking.problem import nearest

_TIME = re.compile(r"(.+?)(ms|s)")


class QuestionError(Exception):
    """Found before anything is done: one line, with what to do."""


def pairs(text: str, keys: Collection[str]) -> dict[str, str]:
    """`key=value,key=value`: the values by key; a key that is not among `keys` is an error.

    >>> pairs("ttft=200ms,tpot=50ms", ("ttft", "tpot"))
    {'ttft': '200ms', 'tpot': '50ms'}
    """
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, has_value, value = part.partition("=")
        if key not in keys:
            known = ", ".join(keys)
            raise QuestionError(f"there is no {key} in {text}{nearest(key, keys)} (has: {known})")
        if not has_value or not value:
            raise QuestionError(f"{key} has no value in {text}; write {key}=…")
        found[key] = value
    return found


def positive(text: str, name: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise QuestionError(f"{name} is {text}; it must be a number above 0")
    return number


def seconds(text: str, name: str) -> float:
    """A time with its unit.

    >>> seconds("200ms", "ttft")
    0.2
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise QuestionError(f"{name}={text} has no unit: write {name}={text}ms or {name}={text}s")
    number, unit = match.groups()
    return positive(number, f"{name} in {unit}") / (1000 if unit == "ms" else 1)
