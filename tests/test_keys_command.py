"""`serve-app keys`: a key is shown once and alone; the file stays whole."""

import re
import shlex
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from serve_app.cli import main
from serve_app.config import GatewayTunables
from serve_app.keys import store
from serve_app.keys.record import digest_of
from serve_app.serving.keys import key_ring

PAGE = (Path(__file__).parents[1] / "docs" / "keys.md").read_text()
KEY = re.compile(r"sk-[0-9a-f]{12}-[\w-]{43}\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


def create(file: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A new key of `acme` in `file`."""
    assert main(["keys", "create", "--tenant", "acme", "--file", str(file), *words]) == 0
    return capsys.readouterr().out.strip()


def records(file: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load(file.read_text())["keys"]
    return found


def test_only_the_key_is_on_stdout_and_only_its_hash_in_the_file(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "--tenant", "acme", "--file", str(file)]) == 0

    out, err = capsys.readouterr()
    assert KEY.fullmatch(out)
    assert out[16:].strip() not in err
    hashed = f"sha256:{digest_of(out.strip().encode()).hex()}"
    assert records(file) == [{"id": out[3:15], "tenant": "acme", "hash": hashed}]


def test_what_was_made_opens_a_gateway(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = create(file, capsys, "--expires", "1h", "--requests-per-min", "60", "--concurrent", "2")

    tunables = GatewayTunables.model_validate({"auth": {"keys_file": str(file)}})
    keys = key_ring(tunables, host="0.0.0.0", environment={})
    assert keys is not None
    identity = keys.identify(key.encode(), now=datetime.now(UTC).timestamp())
    assert identity.tenant.name == "acme"
    assert (identity.key_limits.requests_per_min, identity.key_limits.concurrent) == (60, 2)


def test_without_a_file_the_record_is_shown_and_may_be_pasted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["keys", "create", "--tenant", "acme", "--note", "for tests"]) == 0

    out, err = capsys.readouterr()
    shown = err[err.index("keys:") :].split("\n\n")[0]
    [record] = yaml.safe_load(shown)["keys"]
    assert (record["id"], record["note"]) == (out[3:15], "for tests")


def test_the_file_is_the_owners_and_stays_whose_it_was(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(file, capsys)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    file.chmod(0o640)
    create(file, capsys)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]  # nothing half-made is left


def test_other_records_are_kept_and_a_link_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    link, file = tmp_path / "keys.yaml", tmp_path / "there" / "keys.yaml"
    link.symlink_to(file)
    first = create(link, capsys, "--expires", "2100-01-01T00:00:00+02:00", "--note", "ü: #1")
    before = records(file)
    second = create(link, capsys)

    assert link.is_symlink()
    assert records(file)[0] == before[0]
    assert [record["id"] for record in records(file)] == [first[3:15], second[3:15]]


def test_two_commands_at_once_both_count(file: Path) -> None:
    command = [Path(sys.executable).parent / "serve-app", "keys", "create", "--tenant", "t"]

    def run(_: int) -> int:
        done = subprocess.run([*command, "--file", file], capture_output=True, check=False)
        return done.returncode

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(6))) == [0] * 6
    assert len(records(file)) == 6


def test_list_shows_everything_but_hashes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = create(file, capsys, "--note", "ci", "--tokens-per-min", "9")
    gone = create(file, capsys, "--expires", "2100-01-01T00:00:00Z")
    over = create(file, capsys)
    yesterday = {"expires_at": datetime.now(UTC) - timedelta(days=1)}
    store.change(file, lambda rs: [*rs[:2], rs[2].model_copy(update=yesterday)])
    assert main(["keys", "revoke", gone[3:15], "--file", str(file)]) == 0

    assert main(["keys", "list", "--file", str(file)]) == 0

    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["ID", "TENANT", "STATE", "EXPIRES", "LIMITS", "NOTE"]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert rows[kept[3:15]] == ["acme", "valid", "never", "tokens_per_min=9", "ci"]
    assert rows[gone[3:15]] == ["acme", "revoked", "2100-01-01T00:00:00+00:00", "none"]
    assert rows[over[3:15]][1] == "expired"
    assert "sha256" not in out


def test_a_whole_key_may_be_given_to_revoke_and_is_not_repeated(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, other = create(file, capsys), create(file, capsys)

    assert main(["keys", "revoke", key, "--file", str(file)]) == 0

    out, err = capsys.readouterr()
    assert key[16:] not in out + err
    assert [bool(record.get("revoked")) for record in records(file)] == [True, False]
    assert records(file)[1]["id"] == other[3:15]


@pytest.mark.parametrize("words", [["revoke", "0123456789ab"], ["list"]])
def test_what_is_not_there_is_a_problem(
    words: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *words, "--file", str(file)]) == 1
    assert str(file) in capsys.readouterr().err
    assert not file.exists()


def test_an_unknown_id_changes_nothing_and_is_not_repeated(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = create(file, capsys)
    before = file.read_bytes()

    assert main(["keys", "revoke", key[16:], "--file", str(file)]) == 1

    assert key[16:] not in capsys.readouterr().err
    assert file.read_bytes() == before


def test_a_file_that_is_broken_is_not_written_over(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("keys: [\n")

    assert main(["keys", "create", "--tenant", "acme", "--file", str(file)]) == 1

    out, err = capsys.readouterr()
    assert (out, file.read_text()) == ("", "keys: [\n")
    assert "not YAML" in err


WRONG_USAGE = [
    ([], "required"),
    (["create"], "--tenant"),
    (["create", "--tenant", "a b"], "up to 64 letters"),
    (["create", "--tenant", "a" * 65], "up to 64 letters"),
    (["create", "--tenant", ""], "up to 64 letters"),
    (["create", "--tenant", "a\n"], "up to 64 letters"),
    (["create", "--tenant", "a", "--expires", "soon"], "soon: a span such as 90d"),
    (["create", "--tenant", "a", "--expires", "-1d"], "argument"),
    (["create", "--tenant", "a", "--expires", "0d"], "a span such as 90d"),
    (["create", "--tenant", "a", "--expires", "99999999999999d"], "a span such as 90d"),
    (["create", "--tenant", "a", "--expires", "2100-01-01T00:00:00"], "with its zone"),
    (["create", "--tenant", "a", "--expires", "2001-01-01T00:00:00Z"], "a time to come"),
    (["create", "--tenant", "a", "--requests-per-min", "0"], "a whole number above 0"),
    (["create", "--tenant", "a", "--concurrent", "x"], "a whole number above 0"),
    (["revoke", "0123456789ab"], "--file"),
    (["list"], "--file"),
]


@pytest.mark.parametrize(("words", "said"), WRONG_USAGE, ids=[" ".join(w) for w, _ in WRONG_USAGE])
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_keys_are_made_without_ray_and_without_a_web_framework() -> None:
    code = "import sys, serve_app.cli; print({'ray', 'starlette'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_commands_of_the_page_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ serve-app (keys .*?)(?: > .*)?$", PAGE, re.MULTILINE)
    key = ""
    for command in commands:
        words = shlex.split(command.replace("0123456789ab", key[3:15]))
        assert main(words) == 0
        out = capsys.readouterr().out.strip()
        key = out if "create" in words else key

    assert {words.split()[1] for words in commands} == {"create", "list", "revoke"}


def test_the_yaml_of_the_page_is_what_a_gateway_takes() -> None:
    for block in re.findall(r"```yaml\n(user_config:.*?)```", PAGE, re.DOTALL):
        GatewayTunables.model_validate(yaml.safe_load(block)["user_config"])
