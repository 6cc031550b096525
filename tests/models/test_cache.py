import fcntl

import pytest

from serve_app.models import ModelError, fetch, resolve
from serve_app.models.cache import staged
from tests.models import tiny
from tests.models.hub_server import REPO, serving

NAME = "org/tiny"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SERVE_APP_MODELS", str(folder))
    return folder


def test_a_model_appears_under_its_name_when_it_is_complete(cache):
    with staged(NAME, cache) as folder:
        tiny.write(folder)
        with pytest.raises(ModelError, match="is not in"):
            resolve(NAME)
    assert resolve(NAME) == cache / "org" / "tiny"


def test_half_a_model_is_never_put_in_place_but_its_bytes_are_kept(cache):
    with pytest.raises(ModelError, match="no tokenizer"), staged(NAME, cache) as folder:
        tiny.write(folder, {"config.json": tiny.CHECKPOINT["config.json"]})
    with pytest.raises(ModelError, match="Fetch it with `serve-app models fetch org/tiny`"):
        resolve(NAME)
    with staged(NAME, cache) as folder:
        assert (folder / "config.json").exists()
        tiny.write(folder)
    assert resolve(NAME) == cache / NAME


def test_a_second_process_is_told_that_the_first_one_is_at_work(cache):
    work = cache / ".partial" / NAME
    work.mkdir(parents=True)
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another process"), staged(NAME, cache):
            pass


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../secret/..", id="a path that climbs"),
        pytest.param("org/.hidden", id="a hidden folder"),
        pytest.param("a/b/c", id="more than organisation and name"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_name_that_is_none_is_refused(cache, capsys, name):
    assert fetch(name) == 1
    assert "serve-app: " in capsys.readouterr().err
    assert not cache.exists()


def test_a_folder_is_used_where_it_is(tmp_path, cache, capsys):
    folder = tiny.write(tmp_path / "tuned")
    assert fetch(str(folder)) == 0
    assert f"is in {folder}" in capsys.readouterr().out
    assert resolve(str(folder)) == folder
    assert not cache.exists()


def test_a_folder_is_copied_when_there_is_somewhere_to_copy_it_to(tmp_path, cache):
    folder = tiny.write(tmp_path / "tuned")
    assert fetch(str(folder), to=cache) == 0
    assert resolve("tuned") == cache / "tuned"
    assert {f.name: f.read_bytes() for f in (cache / "tuned").iterdir()} == tiny.CHECKPOINT


def test_what_is_cached_is_not_fetched_again(cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    tiny.write(cache / NAME)
    assert fetch(NAME) == 0


def test_a_name_is_fetched_from_the_hub_into_the_cache(cache, monkeypatch):
    with serving(tiny.CHECKPOINT) as remote:
        monkeypatch.setenv("HF_ENDPOINT", remote.endpoint)
        assert fetch(REPO) == 0
    assert resolve(REPO) == cache / REPO
    assert [f.name for f in (cache / ".partial").rglob("*") if f.is_file()] == []


def test_a_disk_that_cannot_take_it_is_named_with_the_way_out(cache, tmp_path, capsys):
    cache.write_text("a file where the folder should be")
    assert fetch(NAME) == 1
    assert "Choose another disk with --to or SERVE_APP_MODELS" in capsys.readouterr().err
