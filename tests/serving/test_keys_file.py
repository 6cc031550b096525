"""A keys file: what is wrong with it is said without its content, and a change is followed."""

import logging
import os
from pathlib import Path

import pytest
import yaml

from serve_app.checking.problem import ConfigError
from serve_app.keys import store
from serve_app.keys.record import new_key
from tests.serving.keyed import add_key, opens, ring


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


RECORD = "{id: 0123456789ab, tenant: acme, hash: 'sha256:" + "0" * 64 + "'"

BROKEN = [
    # why, the text, what the message says
    ("a typo", "keys: [" + RECORD + ", revokd: true}]", "keys[0].revokd: unknown key; did you"),
    ("a typo above", "keyss: []", "keyss: unknown key; did you mean keys?"),
    ("a typo in limits", "keys: [" + RECORD + ", limits: {requests_per_mn: 1}}]", "requests_per_m"),
    ("no list", "keys: {}", "keys: must be a list of blocks of id, tenant, hash"),
    ("nothing", "", "must be a block of keys"),
    ("no keys", "{}", "keys: is missing"),
    ("no YAML", "keys: [", "not YAML"),
    ("a tab", "keys:\n\t- a", "not YAML"),
    ("a bad id", "keys: [{id: XYZ, tenant: a, hash: x}]", "keys[0].id: must be text that matches"),
    ("a bad tenant", "keys: [{id: a, tenant: 'a b', hash: x}]", "keys[0].tenant: must be text"),
    ("no zone", "keys: [" + RECORD + ", expires_at: 2030-01-31}]", "a time with its zone"),
    ("twice", "keys: [" + RECORD + "}, " + RECORD + "}]", "keys[1].id: is also the id of keys[0]"),
    ("a key twice", "keys: []\nkeys: []", "keys: appears twice"),
    ("no such date", "keys: [" + RECORD + ", expires_at: 2030-13-31}]", "not YAML"),
]


def test_a_date_is_one_although_another_library_made_dates_text(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = yaml.SafeLoader.yaml_constructors
    monkeypatch.setitem(table, "tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)
    file.write_text("keys: [" + RECORD + ", expires_at: 2030-13-31}]")
    with pytest.raises(ConfigError, match="not YAML"):
        store.load(file)


@pytest.mark.parametrize(("text", "said"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_file_that_is_broken_is_refused_at_start_with_its_place(
    text: str, said: str, file: Path
) -> None:
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        ring(file)

    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))


def test_a_file_that_is_not_there_is_refused_at_start(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        ring(file)


LEAKS = [
    ("in place of a hash", "keys: [{id: 0123456789ab, tenant: acme, hash: KEY}]"),
    ("in place of an id", "keys: [{id: KEY, tenant: acme, hash: x}]"),
    ("as a name", "keys: [{KEY: acme}]"),
    ("as a name above", "KEY: acme"),
    ("alone", "KEY"),
    ("in what is no YAML", "keys: [KEY"),
    ("as an alias", "keys: *KEY"),
    ("as a tag", "keys: !KEY x"),
    ("as a name, twice", "KEY: a\nKEY: b"),
    ("as a time", "keys: [{expires_at: KEY}]"),
]


@pytest.mark.parametrize("text", [text for _, text in LEAKS], ids=[why for why, _ in LEAKS])
def test_no_message_repeats_a_key_that_somebody_wrote_into_the_file(text: str, file: Path) -> None:
    key = new_key()
    file.write_text(text.replace("KEY", key))

    with pytest.raises(ConfigError) as refused:
        ring(file)

    assert key[16:] not in str(refused.value)
    assert key[16:] not in repr(refused.value)


def test_a_new_key_opens_and_a_revoked_one_stops_without_a_restart(file: Path) -> None:
    old = add_key(file)
    keys = ring(file)
    new = add_key(file)
    assert not opens(keys, new)

    keys.refresh()
    assert opens(keys, new)

    store.change(
        file, lambda records: [r.model_copy(update={"revoked": r.id == old[3:15]}) for r in records]
    )
    keys.refresh()
    assert not opens(keys, old)
    assert opens(keys, new)


def test_a_file_that_was_not_touched_is_not_read_again(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_key(file)
    keys = ring(file)

    with caplog.at_level(logging.INFO, logger="ray.serve"):
        keys.refresh()

    assert caplog.records == []


def test_a_change_that_keeps_time_and_size_is_seen_when_the_file_is_another(file: Path) -> None:
    first, second = add_key(file), add_key(file.with_name("other.yaml"))
    was = file.stat()
    keys = ring(file)

    os.utime(file.with_name("other.yaml"), ns=(was.st_atime_ns, was.st_mtime_ns))
    file.with_name("other.yaml").replace(file)
    assert file.stat().st_size == was.st_size
    keys.refresh()

    assert opens(keys, second)
    assert not opens(keys, first)


def test_a_link_that_points_elsewhere_is_followed(tmp_path: Path) -> None:
    """As Kubernetes replaces a secret."""
    first, second = add_key(tmp_path / "1.yaml"), add_key(tmp_path / "2.yaml")
    link = tmp_path / "keys.yaml"
    link.symlink_to("1.yaml")
    keys = ring(link)

    (tmp_path / "new").symlink_to("2.yaml")
    (tmp_path / "new").replace(link)
    keys.refresh()

    assert (opens(keys, first), opens(keys, second)) == (False, True)


GONE_WRONG = [(why, text) for why, text, _ in BROKEN] + LEAKS


@pytest.mark.parametrize("text", [g[1] for g in GONE_WRONG], ids=[g[0] for g in GONE_WRONG])
def test_a_broken_new_file_keeps_the_old_keys_and_is_said_once_without_its_content(
    text: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, pasted = add_key(file), new_key()
    keys = ring(file)
    file.write_text(text.replace("KEY", pasted))

    with caplog.at_level(logging.INFO, logger="ray.serve"):
        for _ in range(3):
            keys.refresh()

    assert opens(keys, key)
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert str(file) in record.message
    assert pasted[16:] not in caplog.text


def test_a_file_that_goes_and_comes_back_is_read_again(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(file)
    keys = ring(file)
    file.rename(file.with_name("away"))
    for _ in range(3):
        keys.refresh()
    assert opens(keys, key)
    assert caplog.text.count("cannot be read") == 1

    second = add_key(file)
    keys.refresh()

    assert opens(keys, second)
    assert not opens(keys, key)


def test_a_mended_file_is_read_and_a_second_mistake_is_said_again(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_key(file)
    keys = ring(file)
    good = file.read_text()
    for text in ("keys: [", good, "keys: [ "):
        file.write_text(text)
        keys.refresh()

    assert caplog.text.count("not YAML") == 2
