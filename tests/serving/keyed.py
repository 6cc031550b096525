"""Keys in a file, as tests want them."""

from pathlib import Path
from typing import Any

import pytest

from serve_app.config import Auth, GatewayTunables
from serve_app.errors import Unauthenticated
from serve_app.keys import store
from serve_app.keys.record import id_of, new_key, record_of
from serve_app.serving.keys import KeyRing, key_ring

NOON = 1_900_000_000.0


def add_key(file: Path, tenant: str = "acme", **fields: Any) -> str:
    """A new key in `file`; `fields` are those of its record."""
    key = new_key()
    record = record_of(key, tenant=tenant, **fields)
    store.change(file, lambda records: [*records, record])
    return key


def ring(file: Path, **tunables: Any) -> KeyRing:
    """The keys of `file`, for a gateway with these tunables."""
    checked = GatewayTunables(auth=Auth(keys_file=str(file)), **tunables)
    made = key_ring(checked, host="0.0.0.0", environment={})
    assert made is not None
    return made


def refusal(keys: KeyRing, key: str | bytes, now: float = NOON) -> str:
    """What whoever presents `key` is told."""
    with pytest.raises(Unauthenticated) as refused:
        keys.identify(key if isinstance(key, bytes) else key.encode(), now=now)
    return refused.value.message


def opens(keys: KeyRing, key: str, now: float = NOON) -> bool:
    try:
        return keys.identify(key.encode(), now=now).key_id == id_of(key.encode())
    except Unauthenticated:
        return False
