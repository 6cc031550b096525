"""An API key, and what is kept of it: its id and a hash.

    sk-<id>-<secret>        12 hexadecimal digits, 43 characters of base64url

The secret is 256 random bits. Nobody finds it by trying, so a fast hash hides it as well as a
slow one would, and costs a microsecond where a slow one would let strangers keep a core busy.
"""

import hashlib
import secrets

from pydantic import AwareDatetime, Field

from serve_app.config import Knobs, RateLimits
from serve_app.config.tenants import TenantName

_PREFIX = b"sk-"
_ID_BYTES, _SECRET_BYTES = 6, 32
_ID_END = len(_PREFIX) + 2 * _ID_BYTES


class KeyRecord(Knobs):
    """One key of a keys file."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    """The public part; it appears in logs."""
    tenant: TenantName
    """Whose it is; a tenant that the gateway's `tenants` lack has the defaults."""
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", repr=False)
    """SHA-256 of the whole key."""
    expires_at: AwareDatetime | None = None
    """From then on it opens nothing; null is never."""
    revoked: bool = False
    """It opens nothing any more."""
    limits: RateLimits = RateLimits()
    """How much at most with this key, beside the limits of its tenant."""
    note: str = ""
    """For whoever reads the file."""

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.hash.removeprefix("sha256:"))


class KeyFile(Knobs):
    """A keys file."""

    keys: tuple[KeyRecord, ...]
    """The keys. An empty file is an error, since one that is being written is empty too."""


def new_key() -> str:
    """A key that nobody has yet."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return f"{_PREFIX.decode()}{secrets.token_hex(_ID_BYTES)}-{secret}"


def id_of(key: bytes) -> str:
    """The public part of a key; empty when it does not have the shape of one.

    >>> id_of(b"sk-0123456789ab-secret")
    '0123456789ab'
    """
    has_shape = key.startswith(_PREFIX) and key[_ID_END : _ID_END + 1] == b"-"
    return key[len(_PREFIX) : _ID_END].decode("latin-1") if has_shape else ""


def digest_of(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def record_of(key: str, **fields: object) -> KeyRecord:
    """What is kept of a key, with the other `fields` of its record."""
    stored = f"sha256:{digest_of(key.encode()).hex()}"
    return KeyRecord.model_validate({"id": id_of(key.encode()), "hash": stored, **fields})
