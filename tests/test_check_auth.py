"""`serve-app check`: a gateway that anybody could use, and typos in `auth` and `tenants`."""

from pathlib import Path
from typing import Any

import pytest

from serve_app.checking.exposure import exposure_problems
from serve_app.config import TenantKnobs
from serve_app.reference import reference
from tests.test_check import GATEWAY, REMOVED, changed, check

AUTH = f"{GATEWAY}.user_config.auth"
HOST = "http_options.host"

EXPOSED = [
    # why, auth, host, is it a problem
    ("Serve's own default", REMOVED, REMOVED, True),
    ("everywhere", REMOVED, "0.0.0.0", True),
    ("everywhere, IPv6", REMOVED, "::", True),
    ("one address of many", REMOVED, "10.0.0.7", True),
    ("a name", REMOVED, "gateway.example", True),
    ("other knobs only", {"reload_interval_s": 1}, "0.0.0.0", True),
    ("no file", {"keys_file": ""}, "0.0.0.0", True),
    ("a laptop", REMOVED, "127.0.0.1", False),
    ("a laptop, another address", REMOVED, "127.0.0.2", False),
    ("a laptop, IPv6", REMOVED, "::1", False),
    ("a laptop, by name", REMOVED, "localhost", False),
    ("on purpose", "none", "0.0.0.0", False),
    ("a file", {"keys_file": "/keys.yaml"}, "0.0.0.0", False),
    ("a variable, seen at run time", {"keys_env": "SERVE_APP_KEYS"}, "0.0.0.0", False),
]


@pytest.mark.parametrize(
    ("auth", "host", "is_problem"), [c[1:] for c in EXPOSED], ids=[c[0] for c in EXPOSED]
)
def test_a_gateway_that_anybody_could_use_is_a_problem_at_auth(
    auth: Any, host: Any, is_problem: bool, tmp_path: Path
) -> None:
    document = changed("deepseek", AUTH, auth)
    document["http_options"].pop("host")
    if host is not REMOVED:
        document["http_options"]["host"] = host

    found = check(tmp_path, document)

    assert [where for where, _ in found] == [AUTH] * is_problem
    for _, message in found:
        assert f"anybody who reaches {'0.0.0.0' if host is REMOVED else host}" in message
        assert "keys_file" in message
        assert "auth: none" in message


def test_a_gateway_without_any_user_config_is_asked_too(tmp_path: Path) -> None:
    document = changed("simulated", HOST, "0.0.0.0")

    [(where, _)] = check(tmp_path, document)

    assert where == AUTH


def test_engines_are_not_asked_since_nobody_reaches_them(tmp_path: Path) -> None:
    document = changed("simulated", HOST, "0.0.0.0")
    del document["applications"][1]

    assert check(tmp_path, document) == []


def test_a_builder_asks_the_same_of_the_address_that_serve_has_bound() -> None:
    assert list(exposure_problems({}, "127.0.0.1")) == []
    assert list(exposure_problems(None, None)) == []
    [problem] = exposure_problems(None, "0.0.0.0")
    assert problem.key == "user_config.auth"


TENANT = f"{GATEWAY}.user_config.tenants.acme"

TYPOS = [
    (f"{AUTH}.keys_fil", "/x", "unknown key; did you mean keys_file?"),
    (f"{AUTH}.reload_interval_s", 0, "0: must be a number > 0"),
    (AUTH, "nobody", "'nobody': must be none or a block of keys_file, keys_env, reload_interval_s"),
    (AUTH, 5, "5: must be none or a block of keys_file"),
    (f"{TENANT}.weigth", 2, "unknown key; did you mean weight?"),
    (f"{TENANT}.weight", 0, "0: must be a number > 0 and ≤ 1000"),
    (f"{TENANT}.priority", "hi", "'hi': must be high or normal or low"),
    (f"{TENANT}.limits.request_per_min", 1, "unknown key; did you mean requests_per_min?"),
    (f"{TENANT}.limits.requests_per_min", 0, "0: must be a whole number ≥ 1, or null"),
    (f"{TENANT}.limits", 5, "5: must be a block of requests_per_min, tokens_per_min"),
    (TENANT, 5, "5: must be a block of weight, priority, models"),
    (f"{GATEWAY}.user_config.tenants", [], "[]: must be a mapping of names to blocks of weight"),
    (f"{GATEWAY}.user_config.tenants.a b", {}, "'a b': must be text that matches ^[A-Za-z0-9_.-]"),
]


@pytest.mark.parametrize(
    ("key", "value", "words"), TYPOS, ids=[f"{key}={value}" for key, value, _ in TYPOS]
)
def test_a_mistake_in_auth_or_tenants_is_one_problem_at_its_key(
    key: str, value: Any, words: str, tmp_path: Path
) -> None:
    [(where, message)] = check(tmp_path, changed("deepseek", key, value))

    assert where == key
    assert words in message


def test_the_reference_lists_the_knobs_of_a_tenant_and_says_what_auth_may_be() -> None:
    text = reference()

    assert [name for name in TenantKnobs.model_fields if f"#     {name}: " not in text] == [
        "limits"
    ]
    assert "#       requests_per_min: null  # a whole number ≥ 1, or null" in text
    assert "auth:  # or none" in text
