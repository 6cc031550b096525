"""Parts of a document, read without asking whether they are there.

What has the wrong type reads as empty: Serve's schema has refused it already.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any


def mapping(value: object) -> dict[str, Any]:
    """The value, if it is a mapping."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings of a list, with their places in it."""
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            yield index, item


def number(value: object, default: float) -> float:
    """The value, if it is a number, and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return default
    return float(value)
