"""Before anything is measured: is each target there, has it the model, does it answer?

What is wrong with a question is found here, and said in one line with what to do: half an
hour later it would be a column of errors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from serve_app.bench.ask import Ask
from serve_app.bench.client import Client, Refused
from serve_app.bench.errors import BenchError
from serve_app.checking.problem import nearest

_KEY = "name the variable that holds its key with ,api-key-env=VARIABLE behind its URL"
_ADVICE = {
    "400": "leave out a field that it does not know: --no-ignore-eos, or --extra-body "
    "'{\"FIELD\": null}'",
    "401": _KEY,
    "403": _KEY,
    "404": "try its other route: --endpoint chat, or --endpoint completions",
    "422": "leave out a field that it does not know: --extra-body '{\"FIELD\": null}'",
}

Card = Mapping[str, Any]


async def find_models(clients: Sequence[Client], default: str) -> int | None:
    """Give each client its model; returns the longest request that all take, where they say.

    `default` is for targets that name none; when it is empty too, what the first one has.
    """
    longest: list[int] = []
    for client in clients:
        cards = await _cards(client)
        default = default or client.model or _first(cards, client)
        client.model = client.model or default
        longest += _longest(client, cards)
    return min(longest, default=None)


async def probe(client: Client, ask: Ask) -> None:
    """One request; an error is a `BenchError` that says what may help."""
    answer = await client.send(ask)
    if answer.error:
        advice = _ADVICE.get(answer.error[:3], "the target's own log may say why")
        raise BenchError(f"{_place(client)} says {answer.error}; {advice}")


async def _cards(client: Client) -> dict[str, Card]:
    """The models by name; none where an API has no such list."""
    try:
        return {str(card["id"]): card for card in await client.models()}
    except Refused as refused:
        if str(refused)[:3] in {"401", "403"}:
            raise BenchError(f"{_place(client)} says {refused}; {_KEY}") from refused
        return {}
    except (aiohttp.ContentTypeError, KeyError, TypeError, ValueError):
        return {}
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = str(error) or type(error).__name__
        raise BenchError(
            f"{_place(client)} does not answer: {why}. Is it up, and the port right?"
        ) from error


def _first(cards: Mapping[str, Card], client: Client) -> str:
    if not cards:
        raise BenchError(f"{_place(client)} lists no models; name one with --model")
    return next(iter(cards))


def _longest(client: Client, cards: Mapping[str, Card]) -> list[int]:
    if not cards:
        return []
    if client.model not in cards:
        known = ", ".join(cards)
        raise BenchError(
            f"{_place(client)} has no model {client.model}{nearest(client.model, cards)} (has: "
            f"{known}); put ,model=NAME behind its URL"
        )
    tokens = cards[client.model].get("max_model_len")
    return [tokens] if isinstance(tokens, int) else []


def _place(client: Client) -> str:
    return f"{client.target.name} at {client.target.url}"
