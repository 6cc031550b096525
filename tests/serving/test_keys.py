"""The keys that open a gateway: who they are, when they stop, and what nobody gets to see."""

import hashlib
import hmac
import statistics
import time
from pathlib import Path

import pytest

from serve_app.config import GatewayTunables
from serve_app.core.tenant import Priority, RateLimits
from serve_app.errors import Unauthenticated
from serve_app.keys import store
from serve_app.keys.record import digest_of, new_key
from serve_app.serving.keys import LONGEST_KEY_BYTES, WRONG
from tests.serving.keyed import NOON, add_key, opens, refusal, ring

NOON_ISO = "2030-03-17T17:46:40Z"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


def test_a_key_is_its_tenants_with_limits_of_its_own(file: Path) -> None:
    key = add_key(file, "acme", limits={"requests_per_min": 5})
    tenants = {"acme": {"weight": 2, "priority": "high", "models": ["m"]}}
    checked = GatewayTunables(tenants=tenants).tenants

    identity = ring(file, tenants=checked).identify(key.encode(), now=NOON)

    assert (identity.tenant.name, identity.tenant.weight) == ("acme", 2)
    assert identity.tenant.ceiling is Priority.HIGH
    assert identity.tenant.may_use("m")
    assert not identity.tenant.may_use("other")
    assert identity.key_id == key[3:15]
    assert identity.key_limits == RateLimits(requests_per_min=5)


def test_a_tenant_that_the_gateway_does_not_list_has_the_defaults(file: Path) -> None:
    key = add_key(file, "new")

    tenant = ring(file).identify(key.encode(), now=NOON).tenant

    assert (tenant.name, tenant.weight, tenant.is_operator) == ("new", 1.0, False)


def wrong_keys(key: str) -> list[tuple[str, str | bytes]]:
    """Keys that are not `key`, and why."""
    other = "A" if key[-1] != "A" else "B"
    return [
        ("the last character", key[:-1] + other),
        ("one character less", key[:-1]),
        ("one character more", key + "x"),
        ("another secret of the same id", key[:16] + new_key()[16:]),
        ("another id of the same secret", new_key()[:16] + key[16:]),
        ("nobody's", new_key()),
        ("the id alone", key[3:15]),
        ("upper case", key.upper()),
        ("a space", key + " "),
        ("nothing", ""),
        ("no shape at all", "secret"),
        ("its hash", digest_of(key.encode()).hex()),
        ("bytes that are no text", b"sk-\xff\xfe\x00"),
        ("as long as may be", "x" * LONGEST_KEY_BYTES),
        ("longer", "x" * (LONGEST_KEY_BYTES + 1)),
        ("the right one and much more", key + "x" * 10_000),
    ]


@pytest.mark.parametrize("index", range(16), ids=[why for why, _ in wrong_keys(new_key())])
def test_all_wrong_keys_hear_the_same(index: int, file: Path) -> None:
    key = add_key(file)

    assert refusal(ring(file), wrong_keys(key)[index][1]) == WRONG


def test_a_revoked_key_hears_what_a_wrong_one_does(file: Path) -> None:
    key = add_key(file, revoked=True)

    assert refusal(ring(file), key) == WRONG


def test_only_who_holds_the_secret_hears_that_it_expired(file: Path) -> None:
    key = add_key(file, expires_at=NOON_ISO)
    keys = ring(file)

    assert opens(keys, key, now=NOON - 0.001)
    assert "expired" in refusal(keys, key, now=NOON)
    assert refusal(keys, key[:-1] + "!", now=NOON) == WRONG


def test_a_key_that_is_revoked_and_expired_does_not_tell(file: Path) -> None:
    key = add_key(file, expires_at=NOON_ISO, revoked=True)

    assert refusal(ring(file), key) == WRONG


def test_a_key_is_256_random_bits_and_only_its_hash_is_stored(file: Path) -> None:
    key = add_key(file)

    assert len(key[16:]) == 43  # 32 bytes of base64url
    assert key not in file.read_text()
    assert key[16:] not in file.read_text()
    assert hashlib.sha256(key.encode()).hexdigest() in file.read_text()


def test_every_key_that_is_not_too_long_is_hashed_and_compared_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a key shares with a right one, the same steps are taken, over as many bytes."""
    key = add_key(file)
    keys = ring(file)
    compared: list[tuple[int, int]] = []
    true = hmac.compare_digest

    def watched(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return true(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    presented = [wrong for _, wrong in wrong_keys(key)]
    for wrong in presented:
        refusal(keys, wrong)
    keys.identify(key.encode(), now=NOON)

    short = [wrong for wrong in presented if len(wrong) <= LONGEST_KEY_BYTES]
    assert compared == [(32, 32)] * (len(short) + 1)
    assert len(short) == len(presented) - 2


def test_time_does_not_tell_how_much_of_a_key_is_right(file: Path) -> None:
    key = add_key(file)
    keys = ring(file)
    strange = new_key()
    shares = [key[:n] + strange[n:] for n in (0, 20, len(key) - 1)]

    def took_s(wrong: bytes) -> float:
        started = time.perf_counter()
        with pytest.raises(Unauthenticated):
            keys.identify(wrong, now=NOON)
        return time.perf_counter() - started

    # In turns, so that a busy machine slows all of them.
    times = [[took_s(wrong.encode()) for wrong in shares] for _ in range(2000)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]

    assert max(medians) < 2 * min(medians)


def test_what_is_printed_of_keys_shows_no_hash(file: Path) -> None:
    key = add_key(file)
    shown = [repr(ring(file)), repr(ring(file)._by_id), repr(store.load(file))]

    for text in shown:
        assert digest_of(key.encode()).hex() not in text
        assert repr(digest_of(key.encode()))[2:-1] not in text
