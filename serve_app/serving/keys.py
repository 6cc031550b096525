"""The keys that open this gateway, and whose they are.

A key that is unknown, wrong or revoked is refused with the same words after the same work: a
hash of what was presented, compared in constant time with the hash of that id, or with one
that nothing has. Only who holds the right secret is told that it has expired.
"""

import hmac
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve_app.checking.exposure import exposure
from serve_app.checking.problem import ConfigError, Problem
from serve_app.config import Auth, GatewayTunables, TenantKnobs
from serve_app.core.tenant import Identity, RateLimits
from serve_app.errors import Unauthenticated
from serve_app.keys.file import parse, read
from serve_app.keys.record import KeyRecord, digest_of, id_of

logger = logging.getLogger("ray.serve")

LONGEST_KEY_BYTES = 256
WRONG = "this API key is not valid. Check it, or ask the operator of this gateway for one."

Stamp = tuple[int, int, int]
Tenants = Mapping[str, TenantKnobs]


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes = field(repr=False)
    key_id: str
    tenant: str
    limits: RateLimits
    expires_at: float | None
    is_revoked: bool


_NOBODY = _Entry(secrets.token_bytes(32), "", "", RateLimits(), None, is_revoked=True)


class KeyRing:
    """The keys of a file and of an environment variable; `refresh` follows the file."""

    def __init__(self, auth: Auth, tenants: Tenants, environment: Mapping[str, str]) -> None:
        """Raises `ConfigError` when the keys cannot be read; it never shows what is in them."""
        self.auth = auth
        self._path = Path(auth.keys_file) if auth.keys_file else None
        text = environment.get(auth.keys_env, "")
        self._given = parse(text, source=f"${auth.keys_env}") if text.strip() else ()
        self._complaint = ""
        self._stamp: Stamp | None = None
        self._by_id: dict[str, _Entry] = {}
        self._load()
        self.know(tenants)

    def __repr__(self) -> str:
        return f"<KeyRing {len(self._by_id)} keys>"

    def know(self, tenants: Tenants) -> None:
        """What holds for tenants from now on. The keys are not read again."""
        self._tenants = {name: knobs.to_core(name) for name, knobs in tenants.items()}

    def identify(self, key: bytes, *, now: float) -> Identity:
        """Whose key this is, at the unix time `now`; raises `Unauthenticated`."""
        if len(key) > LONGEST_KEY_BYTES:
            raise Unauthenticated(WRONG)
        entry = self._by_id.get(id_of(key), _NOBODY)
        is_right = hmac.compare_digest(digest_of(key), entry.digest)
        if not is_right or entry.is_revoked:
            raise Unauthenticated(WRONG)
        if entry.expires_at is not None and now >= entry.expires_at:
            raise Unauthenticated("this API key has expired. Ask the operator for a new one.")
        tenant = self._tenants.get(entry.tenant) or TenantKnobs().to_core(entry.tenant)
        return Identity(tenant, entry.key_id, entry.limits)

    def refresh(self) -> None:
        """Read the file again if it has changed. What cannot be read changes nothing, and is
        said once."""
        try:
            if self._path is not None and _stamp(self._path) != self._stamp:
                self._load()
                logger.info("the keys were read again: %r", self)
            self._complaint = ""
        except ConfigError as error:
            complaint = str(error)
            if complaint != self._complaint:
                logger.error("the keys stay as they were: %s", complaint)  # noqa: TRY400
            self._complaint = complaint

    def _load(self) -> None:
        """All keys anew, or a `ConfigError` and all as they were."""
        entries = _entries(self._given)
        if self._path is not None:
            stamp, text = _stamp(self._path), read(self._path)
            self._stamp = stamp  # what is broken is not read twice; what cannot be read is
            found = _entries(parse(text, source=str(self._path)))
            for key_id in found.keys() & entries.keys():
                message = f"the key {key_id} is in the environment variable too"
                raise ConfigError(Problem((), message, str(self._path)))
            entries |= found
        self._by_id = entries


def key_ring(
    tunables: GatewayTunables,
    *,
    host: str | None,
    before: KeyRing | None = None,
    environment: Mapping[str, str] = os.environ,
) -> KeyRing | None:
    """Who may ask a gateway that listens on `host`; None is anybody. It is the ring of `before`
    where that is of the same `auth`: a file that broke meanwhile is no reason to lose its keys.

    Raises `ConfigError` where letting anybody in would be a mistake, and when the keys cannot
    be read.
    """
    auth = tunables.auth
    if auth == "none":
        return None
    if before is not None and before.auth == auth:
        before.know(tunables.tenants)
        return before
    if auth.keys_file or environment.get(auth.keys_env, "").strip():
        return KeyRing(auth, tunables.tenants, environment)
    if auth.keys_env != Auth().keys_env:
        message = f"the gateway has no environment variable {auth.keys_env}, or it is empty"
        raise ConfigError(Problem(("user_config", "auth", "keys_env"), message))
    if message := exposure(host, has_keys=False):
        raise ConfigError(Problem(("user_config", "auth"), message))
    return None


def _entries(records: Iterable[KeyRecord]) -> dict[str, _Entry]:
    return {record.id: _entry(record) for record in records}


def _entry(record: KeyRecord) -> _Entry:
    limits, ends = record.limits.to_core(), record.expires_at
    expires_at = ends.timestamp() if ends else None
    return _Entry(record.digest, record.id, record.tenant, limits, expires_at, record.revoked)


def _stamp(path: Path) -> Stamp:
    """Changes when the file does: rewritten, replaced, or another one behind a link."""
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(Problem((), f"cannot be read: {error.strerror}", str(path))) from None
    return found.st_mtime_ns, found.st_size, found.st_ino
