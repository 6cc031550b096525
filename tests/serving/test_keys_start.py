"""Where a gateway finds its keys when it starts, and when it does not start without any."""

from pathlib import Path
from typing import Any

import pytest

from serve_app.checking.problem import ConfigError
from serve_app.config import GatewayTunables
from serve_app.keys import store
from serve_app.keys.record import record_of
from serve_app.serving.keys import WRONG, KeyRing, key_ring
from tests.serving.keyed import NOON, add_key, opens, refusal, ring


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


TEXT = store.as_yaml([record_of("sk-0123456789ab-" + "s" * 43, tenant="acme")])
KEY = "sk-0123456789ab-" + "s" * 43


def test_an_environment_variable_holds_what_a_file_would() -> None:
    keys = key_ring(GatewayTunables(), host="0.0.0.0", environment={"SERVE_APP_KEYS": TEXT})

    assert keys is not None
    assert opens(keys, KEY)


def test_a_file_and_a_variable_together_are_all_their_keys(file: Path) -> None:
    key = add_key(file)
    tunables = GatewayTunables.model_validate({"auth": {"keys_file": str(file), "keys_env": "K"}})

    keys = key_ring(tunables, host="0.0.0.0", environment={"K": TEXT})

    assert keys is not None
    assert opens(keys, key)
    assert opens(keys, KEY)


def test_one_id_in_both_is_refused_since_one_may_be_revoked(file: Path) -> None:
    file.write_text(TEXT)
    tunables = GatewayTunables.model_validate({"auth": {"keys_file": str(file)}})

    with pytest.raises(ConfigError, match="0123456789ab is in the environment variable too"):
        key_ring(tunables, host="127.0.0.1", environment={"SERVE_APP_KEYS": TEXT})


def test_a_file_without_keys_opens_to_nobody(file: Path) -> None:
    file.write_text("keys: []")

    assert refusal(ring(file), KEY) == WRONG


def begin(
    auth: Any, host: str | None, environment: dict[str, str], before: KeyRing | None = None
) -> str:
    """What comes of starting a gateway: "open", "keys", or why it does not start."""
    tunables = GatewayTunables.model_validate({"auth": auth})
    try:
        keys = key_ring(tunables, host=host, before=before, environment=environment)
    except ConfigError as refused:
        return str(refused)
    return "open" if keys is None else "keys"


STARTS: list[tuple[str, Any, str | None, dict[str, str], str]] = [
    # why, auth, host, environment, what comes of it
    ("a laptop", {}, "127.0.0.1", {}, "open"),
    ("a laptop, IPv6", {}, "::1", {}, "open"),
    ("a laptop, by name", {}, "localhost", {}, "open"),
    ("nowhere", {}, None, {}, "open"),
    ("a laptop with keys", {}, "127.0.0.1", {"SERVE_APP_KEYS": TEXT}, "keys"),
    ("everywhere", {}, "0.0.0.0", {}, "anybody who reaches 0.0.0.0"),
    ("everywhere, IPv6", {}, "::", {}, "anybody who reaches ::"),
    ("a name", {}, "gateway.example", {}, "anybody who reaches gateway.example"),
    ("everywhere with keys", {}, "0.0.0.0", {"SERVE_APP_KEYS": TEXT}, "keys"),
    ("everywhere, on purpose", "none", "0.0.0.0", {}, "open"),
    ("keys that are not wanted", "none", "0.0.0.0", {"SERVE_APP_KEYS": TEXT}, "open"),
    ("an empty variable", {}, "0.0.0.0", {"SERVE_APP_KEYS": " "}, "anybody who reaches"),
    ("a variable that lacks", {"keys_env": "K"}, "0.0.0.0", {}, "no environment variable K"),
    ("on a laptop too", {"keys_env": "K"}, "127.0.0.1", {}, "no environment variable K"),
    ("another variable", {"keys_env": "K"}, "0.0.0.0", {"SERVE_APP_KEYS": TEXT}, "variable K"),
    ("a broken variable", {}, "127.0.0.1", {"SERVE_APP_KEYS": "keys: ["}, "$SERVE_APP_KEYS:"),
]


@pytest.mark.parametrize(
    ("auth", "host", "environment", "outcome"),
    [case[1:] for case in STARTS],
    ids=[case[0] for case in STARTS],
)
def test_without_keys_only_a_loopback_address_is_open(
    auth: Any, host: str | None, environment: dict[str, str], outcome: str
) -> None:
    assert outcome in begin(auth, host, environment)


def test_new_tunables_keep_the_keys_of_a_file_that_broke_meanwhile(file: Path) -> None:
    key = add_key(file)
    auth = {"keys_file": str(file)}
    before = ring(file)
    file.write_text("keys: [")
    tunables = GatewayTunables.model_validate({"auth": auth, "tenants": {"acme": {"weight": 3}}})

    keys = key_ring(tunables, host="0.0.0.0", before=before, environment={})

    assert keys is not None
    assert keys.identify(key.encode(), now=NOON).tenant.weight == 3


@pytest.mark.parametrize(
    ("auth", "host", "outcome"),
    [
        ({}, "0.0.0.0", "anybody who reaches 0.0.0.0"),
        ({"keys_file": "/nowhere/keys.yaml"}, "0.0.0.0", "cannot be read"),
        ({"keys_file": "/nowhere/keys.yaml"}, "127.0.0.1", "cannot be read"),
        ({}, "127.0.0.1", "open"),
        ("none", "0.0.0.0", "open"),
    ],
)
def test_a_gateway_loses_its_keys_only_on_purpose(
    auth: Any, host: str, outcome: str, file: Path
) -> None:
    add_key(file)

    assert outcome in begin(auth, host, {}, before=ring(file))
