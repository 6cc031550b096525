"""`serve-app keys`: make keys, look at them, revoke them.

A key is printed once, alone on stdout. What is stored cannot be turned back into it.
"""

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serve_app.checking.problem import ConfigError, Problem
from serve_app.config import RateLimits
from serve_app.keys import store
from serve_app.keys.record import KeyRecord, id_of, new_key, record_of

SPANS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
EXPIRES = "a span such as 90d, or a time to come with its zone, such as 2030-01-31T12:00:00Z"
TENANT = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Define `create`, `list` and `revoke`."""
    commands = parser.add_subparsers(required=True, metavar="{create,list,revoke}")
    _add_create(commands.add_parser("create", help="make a key, and print it once"))

    listing = commands.add_parser("list", help="show the keys of a file, without hashes")
    listing.add_argument("--file", type=Path, required=True)
    listing.set_defaults(run=_guarded, act=_list)

    revoke = commands.add_parser("revoke", help="make a key open nothing any more")
    revoke.add_argument("id", metavar="ID", help="the 12 characters after sk-")
    revoke.add_argument("--file", type=Path, required=True)
    revoke.set_defaults(run=_guarded, act=_revoke)


def _add_create(create: argparse.ArgumentParser) -> None:
    say = create.add_argument
    say("--tenant", type=_tenant, required=True, metavar="NAME", help="whose key it is")
    say("--file", type=Path, help="keys file to add it to; without, the record is only shown")
    say("--expires", type=_expiry, metavar="90d|TIME", help="a span (d, h, m), or an ISO time")
    say("--note", default="", metavar="TEXT", help="for whoever reads the file")
    for name in RateLimits.model_fields:
        option = "--" + name.replace("_", "-")
        say(option, type=_count, metavar="N", help="limit of this key; unset is unlimited")
    create.set_defaults(run=_guarded, act=_create)


def _guarded(chosen: argparse.Namespace) -> int:
    try:
        return int(chosen.act(chosen))
    except (ConfigError, OSError) as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 1


def _create(chosen: argparse.Namespace) -> int:
    key = new_key()
    limits = {name: getattr(chosen, name) for name in RateLimits.model_fields}
    record = record_of(
        key, tenant=chosen.tenant, expires_at=chosen.expires, limits=limits, note=chosen.note
    )
    if chosen.file is None:
        _say(f"Add this to the keys file:\n\n{store.as_yaml([record])}")
    else:
        store.change(chosen.file, lambda records: [*records, record])
        _say(f"{record.id} of {record.tenant} is in {chosen.file}.")
    _say("The key, which nobody can show again:")
    print(key)
    return 0


def _list(chosen: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    rows = [_row(record, now) for record in store.load(chosen.file)]
    heads = ("ID", "TENANT", "STATE", "EXPIRES", "LIMITS", "NOTE")
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def _row(record: KeyRecord, now: datetime) -> tuple[str, ...]:
    is_over = record.expires_at is not None and record.expires_at <= now
    state = "revoked" if record.revoked else "expired" if is_over else "valid"
    expires = record.expires_at.isoformat(timespec="seconds") if record.expires_at else "never"
    limits = record.limits.model_dump(exclude_none=True)
    words = ", ".join(f"{name}={amount}" for name, amount in limits.items())
    note = " ".join(record.note.split())
    return record.id, record.tenant, state, expires, words or "none", note


def _revoke(chosen: argparse.Namespace) -> int:
    # Who has found a key somewhere pastes all of it: take that too, and do not repeat it.
    key_id = id_of(chosen.id.encode()) or chosen.id

    def without(records: store.Records) -> store.Records:
        if key_id not in {record.id for record in records}:
            message = "has no key of this id; `serve-app keys list` shows those it has"
            raise ConfigError(Problem((), message, str(chosen.file)))
        revoked = {"revoked": True}
        return [r.model_copy(update=revoked) if r.id == key_id else r for r in records]

    store.change(chosen.file, without)
    _say(f"{key_id} is revoked in {chosen.file}.")
    return 0


def _tenant(text: str) -> str:
    if not TENANT.fullmatch(text):
        raise argparse.ArgumentTypeError("up to 64 letters, digits, _ . - (it labels metrics)")
    return text


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError("a whole number above 0")
    return int(text)


def _expiry(text: str) -> datetime:
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        is_span = text[:-1].isdecimal() and text[-1:] in SPANS
        end = now + int(text[:-1]) * SPANS[text[-1]] if is_span else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text}: {EXPIRES}") from None
    if end.tzinfo is None or end <= now:
        raise argparse.ArgumentTypeError(f"{text}: {EXPIRES}")
    return end


def _say(text: str) -> None:
    print(text, file=sys.stderr)
