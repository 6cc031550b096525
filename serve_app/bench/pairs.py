"""`key=value,key=value`: how one option of the command line holds several values."""

import math
from collections.abc import Collection

from serve_app.bench.errors import BenchError
from serve_app.checking.problem import nearest


def pairs(text: str, keys: Collection[str]) -> dict[str, str]:
    """The values by key; a key that is not among `keys` is an error.

    >>> pairs("ttft=200ms,tpot=50ms", ("ttft", "tpot"))
    {'ttft': '200ms', 'tpot': '50ms'}
    """
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, has_value, value = part.partition("=")
        if key not in keys:
            known = ", ".join(keys)
            raise BenchError(f"there is no {key} in {text}{nearest(key, keys)} (has: {known})")
        if not has_value or not value:
            raise BenchError(f"{key} has no value in {text}; write {key}=…")
        found[key] = value
    return found


def positive(text: str, name: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise BenchError(f"{name} is {text}; it must be a number above 0")
    return number
