"""Prompts that no chat template touches: text or token ids, one or several.

Token ids are numbers from 0 to 2^31; whether the model has them, the engine knows.
"""

from typing import Any

from serve_app.config import Limits
from serve_app.errors import Malformed
from serve_app.serving.checks import many


def prompts(value: Any, limits: Limits, field: str) -> None:
    """A string, a list of token ids, or a list of one of these."""
    if type(value) is str:
        return
    if is_batch(value):
        many(value, limits, field, most="prompts")
        good = _is_texts(value) or all(ids and _is_token_ids(ids) for ids in value)
    else:
        good = value != [] and _is_token_ids(value)
    if not good:
        raise Malformed(
            f"{field} must be a string, a list of token ids, or a list of one of these, "
            "and not empty.",
            param=field,
        )


def is_batch(prompt: Any) -> bool:
    """Whether a prompt is a list of prompts."""
    return type(prompt) is list and prompt != [] and type(prompt[0]) in (str, list)


def token_ids(value: Any, _limits: Limits, field: str) -> None:
    """A list of token ids, which may be empty."""
    if not _is_token_ids(value):
        raise Malformed(f"{field} must be a list of token ids.", param=field)


def stop_token_ids(value: Any, limits: Limits, field: str) -> None:
    """A short list of token ids."""
    token_ids(value, limits, field)
    many(value, limits, field, most="stop")


def _is_texts(value: list[Any]) -> bool:
    return set(map(type, value)) == {str}


def _is_token_ids(value: Any) -> bool:
    if type(value) is not list:
        return False
    if not value:
        return True
    return set(map(type, value)) == {int} and min(value) >= 0 and max(value) < 2**31
