"""A copy on the receiving side, without Ray between."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from serve_app.models import ModelError
from serve_app.prefetch.holder import Bytes, Entry, Holder
from tests.models import tiny

NAME = "org/tiny"
FILES = tiny.CHECKPOINT | {"1_Pooling/config.json": b"{}", "empty.txt": b""}


@pytest.fixture
def source(tmp_path: Path) -> Holder:
    tiny.write(tmp_path / "source" / NAME, FILES)
    return Holder(NAME, str(tmp_path / "source"))


@pytest.fixture
def target(tmp_path: Path) -> Holder:
    holder = Holder(NAME, str(tmp_path / "target"))
    holder.sign()
    return holder


def array(content: bytes) -> Bytes:
    return np.frombuffer(content, np.uint8)


def sent(source: Holder, target: Holder, entry: Entry) -> None:
    """In two pieces, the second one first."""
    half = entry.size_bytes // 2
    for offset, size in ((half, entry.size_bytes - half), (0, half)):
        target.write(entry.path, offset, source.read(entry.path, offset, size))
    target.complete(entry.path, source.sha256(entry.path))


def test_files_arrive_whole_in_any_order_of_pieces(
    source: Holder, target: Holder, tmp_path: Path
) -> None:
    for entry in target.begin(source.entries()):
        sent(source, target, entry)
    target.finish()

    folder = tmp_path / "target" / NAME
    found = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.*")}
    assert found == FILES
    assert target.look()[0]


def test_a_file_that_arrives_changed_is_refused_and_not_kept(
    source: Holder, target: Holder, tmp_path: Path
) -> None:
    target.begin(source.entries())
    target.write("config.json", 0, array(b"{}"))

    with pytest.raises(ModelError, match="another hash: run the same command again"):
        target.complete("config.json", source.sha256("config.json"))
    assert not list((tmp_path / "target").rglob("model/config.json*"))


def test_what_an_earlier_copy_left_is_not_sent_again_but_hashed(
    source: Holder, target: Holder, tmp_path: Path
) -> None:
    staging = tmp_path / "target" / ".partial" / NAME / "model"
    tiny.write(staging, FILES | {"config.json": b'{"model_type": "other"}', "old.part": b"x"})

    assert target.begin(source.entries()) == []
    with pytest.raises(ModelError, match="another hash"):
        target.complete("config.json", source.sha256("config.json"))
    assert not (staging / "old.part").exists()


def test_a_model_that_lacks_a_file_does_not_come_into_its_place(
    source: Holder, target: Holder, tmp_path: Path
) -> None:
    [entry] = [entry for entry in source.entries() if entry.path == "config.json"]
    target.begin([entry])
    sent(source, target, entry)

    with pytest.raises(ModelError, match="no tokenizer"):
        target.finish()
    assert not (tmp_path / "target" / NAME).exists()


@pytest.mark.parametrize("path", ["../../evil", "/etc/evil"])
def test_nothing_is_written_outside_of_the_models_folder(target: Holder, path: str) -> None:
    with pytest.raises(ModelError, match="outside of the model's folder"):
        target.begin([Entry(path, 1)])


def test_two_copies_into_one_cache_do_not_mix(source: Holder, tmp_path: Path) -> None:
    first, second = (Holder(NAME, str(tmp_path / "target")) for _ in range(2))
    first.begin(source.entries())

    with pytest.raises(ModelError, match="another process is writing"):
        second.begin(source.entries())


def test_hashes_are_of_what_is_on_the_disk(source: Holder) -> None:
    for path, content in FILES.items():
        assert source.sha256(path) == hashlib.sha256(content).hexdigest()


def test_only_caches_on_one_disk_see_each_others_signs(source: Holder, tmp_path: Path) -> None:
    twin = Holder(NAME, str(tmp_path / "source"))
    other = Holder(NAME, str(tmp_path / "target"))
    for holder in (source, twin, other):
        holder.sign()

    assert source.signs() == twin.signs() != other.signs()
