import pytest

from serve_app.models import ModelError, checkpoint
from serve_app.models.listing import RemoteFile, wanted
from tests.models import tiny

SHARDED = tiny.SHARDED


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(tiny.CHECKPOINT, id="one file of weights"),
        pytest.param(SHARDED, id="shards, all there"),
        pytest.param(
            {k: v for k, v in tiny.CHECKPOINT.items() if k != "model.safetensors"}
            | {"pytorch_model.bin": b"pickle"},
            id="a pickle, where there is nothing better",
        ),
    ],
)
def test_a_whole_checkpoint_passes(tmp_path, files):
    assert checkpoint.check(tiny.write(tmp_path, files)) is None


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param({"config.json": None}, "config.json is missing", id="no configuration"),
        pytest.param({"config.json": b"{"}, "is not JSON", id="half a configuration"),
        pytest.param({"config.json": b"[]"}, "not a JSON object", id="a list"),
        pytest.param({"config.json": b"{}"}, "has no model_type", id="of something else"),
        pytest.param({"tokenizer.model": None}, "has no tokenizer", id="no tokenizer"),
        pytest.param({"model-2.safetensors": None}, "model-2.* is missing", id="a shard is gone"),
        pytest.param(
            {"model-2.safetensors": tiny.safetensors()[:-1]},
            "[Ff]etch it again",
            id="cut at the end",
        ),
        pytest.param(
            {"model-2.safetensors": tiny.safetensors()[:9]}, "[Ff]etch it again", id="in the header"
        ),
        pytest.param({"model-2.safetensors": b""}, "[Ff]etch it again", id="empty"),
    ],
)
def test_what_is_missing_is_named(tmp_path, files, sentence):
    kept = {name: content for name, content in (SHARDED | files).items() if content is not None}
    with pytest.raises(ModelError, match=sentence):
        checkpoint.check(tiny.write(tmp_path, kept))


def test_several_bad_shards_are_one_message(tmp_path):
    files = SHARDED | {"model-1.safetensors": b"", "model-2.safetensors": b"x" * 8}
    with pytest.raises(ModelError, match=r"model-1.*has 0 bytes of 8 \(and 1 more of its 2 files"):
        checkpoint.check(tiny.write(tmp_path, files))


@pytest.mark.parametrize(
    "header", [b"[]", b"{", b'{"a": {}}', b'{"a": {"data_offsets": []}}', b'{"a": 1}']
)
def test_a_header_that_is_none_is_said(tmp_path, header):
    files = SHARDED | {"model-1.safetensors": len(header).to_bytes(8, "little") + header}
    with pytest.raises(ModelError, match="is no safetensors file"):
        checkpoint.check(tiny.write(tmp_path, files))


def test_a_header_longer_than_the_format_allows_is_not_read(tmp_path):
    folder = tiny.write(tmp_path, SHARDED)
    length = 100_000_001
    with (folder / "model-1.safetensors").open("wb") as opened:
        opened.write(length.to_bytes(8, "little"))
        opened.truncate(8 + length)
    with pytest.raises(ModelError, match="is no safetensors file"):
        checkpoint.check(folder)


def test_an_index_without_a_map_is_said(tmp_path):
    files = SHARDED | {"model.safetensors.index.json": b"{}"}
    with pytest.raises(ModelError, match="has no weight_map"):
        checkpoint.check(tiny.write(tmp_path, files))


def test_weights_from_elsewhere_are_not_looked_for(tmp_path):
    files = {name: SHARDED[name] for name in ("config.json", "tokenizer.model")}
    assert checkpoint.check(tiny.write(tmp_path, files), has_weights=False) is None


def test_weights_without_an_index_must_be_there_too(tmp_path):
    files = {name: SHARDED[name] for name in ("config.json", "tokenizer.model")}
    with pytest.raises(ModelError, match="has no weights"):
        checkpoint.check(tiny.write(tmp_path, files))


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(ModelError, match="is not a folder"):
        checkpoint.check(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        pytest.param(["model.safetensors"], ["pytorch_model.bin"], id="tensors before pickles"),
        pytest.param(["pytorch_model.bin"], ["training_args.bin"], id="pickles that are weights"),
        pytest.param(
            ["model-1.safetensors"], ["consolidated.safetensors"], id="the same weights once"
        ),
        pytest.param(["consolidated.safetensors"], [], id="which may be the only ones"),
        pytest.param(
            ["model.safetensors", "1_Pooling/config.json", "tiktoken.model", "chat.jinja"],
            ["README.md", "figures/a.png", "onnx/model.safetensors", "inference/model.py"],
            id="what describes the model, in subfolders too",
        ),
        pytest.param(
            ["model.safetensors"],
            ["../config.json", "/etc/config.json"],
            id="nothing that would land outside the folder",
        ),
    ],
)
def test_one_set_of_weights_and_what_describes_it_is_wanted(names, left_out):
    files = [RemoteFile(name, 1, "") for name in names + left_out]
    assert sorted(file.path for file in wanted(files)) == sorted(names)
