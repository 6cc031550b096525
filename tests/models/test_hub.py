import socket

import pytest

from serve_app.models import ModelError, hub
from tests.models import tiny
from tests.models.hub_server import REPO, serving

WEIGHTS = "model.safetensors"
TWINS = {"pytorch_model.bin": b"pickle", "consolidated.safetensors": b"again", "onnx/x.bin": b"o"}


@pytest.fixture
def remote():
    with serving(tiny.CHECKPOINT | TWINS | {"README.md": b"# Tiny"}) as started:
        yield started


@pytest.fixture
def download(remote, tmp_path):
    def run(**knobs):
        hub.download(REPO, tmp_path, endpoint=remote.endpoint, **knobs)

    return run


def test_only_what_vllm_reads_is_fetched_byte_for_byte(download, tmp_path):
    download()
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == tiny.CHECKPOINT


def test_an_interrupted_file_goes_on_where_it_stopped(remote, download, tmp_path):
    remote.cut[WEIGHTS] = 40
    with pytest.raises(ModelError, match=r"cut short after 40 of \d+ bytes: run the same command"):
        download()
    remote.cut.clear()
    remote.asked.clear()
    download()
    fetched = [asked for asked in remote.asked if not asked[0].startswith("/api")]
    assert fetched == [(WEIGHTS, "bytes=40-")]
    assert (tmp_path / WEIGHTS).read_bytes() == tiny.CHECKPOINT[WEIGHTS]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(WEIGHTS, id="large files are listed with their sha256"),
        pytest.param("config.json", id="small ones with git's own hash"),
    ],
)
def test_a_file_with_another_hash_is_refused_and_fetched_anew(remote, download, tmp_path, name):
    remote.swapped[name] = bytes(len(tiny.CHECKPOINT[name]))
    with pytest.raises(ModelError, match=f"{name} does not have the hash"):
        download()
    assert not (tmp_path / name).exists()
    remote.swapped.clear()
    download()
    assert (tmp_path / name).read_bytes() == tiny.CHECKPOINT[name]


@pytest.mark.parametrize(
    ("path", "status", "code", "sentence"),
    [
        pytest.param(WEIGHTS, 401, "GatedRepo", "is gated: accept its terms", id="no token"),
        pytest.param(WEIGHTS, 403, "GatedRepo", "is gated: accept its terms", id="not accepted"),
        pytest.param("/api", 403, None, "is gated: accept its terms", id="a token without rights"),
        pytest.param("/api", 404, "RepoNotFound", "There is no model org/tiny", id="missing"),
        pytest.param("/api", 401, None, "There is no model org/tiny", id="what the hub says first"),
        pytest.param("/api", 500, None, "answered 500 .* again later", id="the hub is ill"),
    ],
)
def test_a_refusal_says_what_to_do(remote, download, path, status, code, sentence):
    remote.refuses[path] = (status, code)
    with pytest.raises(ModelError, match=sentence):
        download()


def test_without_a_network_the_way_out_is_a_folder(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    with pytest.raises(ModelError, match=r"cannot be reached .* give its path"):
        hub.download(REPO, tmp_path, endpoint=f"http://127.0.0.1:{port}")


def test_too_little_disk_is_found_before_the_first_byte(remote, download, tmp_path):
    needed = sum(map(len, tiny.CHECKPOINT.values()))
    with pytest.raises(ModelError, match="GB free: make room"):
        download(free=lambda folder: needed - 1)
    assert [path for path, _ in remote.asked] == [f"/api/models/{REPO}"]
    download(free=lambda folder: needed)
    assert (tmp_path / WEIGHTS).exists()


def test_what_is_already_here_needs_no_room_again(remote, download):
    remote.cut[WEIGHTS] = 40
    with pytest.raises(ModelError, match="cut short"):
        download()
    remote.cut.clear()
    download(free=lambda folder: len(tiny.CHECKPOINT[WEIGHTS]) - 40)


def test_a_repository_without_weights_cannot_be_served(tmp_path):
    with serving({"config.json": b"{}"}) as remote, pytest.raises(ModelError, match="no weights"):
        hub.download(REPO, tmp_path, endpoint=remote.endpoint)
