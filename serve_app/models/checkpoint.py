"""What a folder must hold before an engine is started on it.

Configuration, tokenizer, and every tensor that the weights promise. A safetensors file
says in its header how long it is, so a truncated one is found without reading it.
"""

import json
from pathlib import Path
from typing import Any

from serve_app.models.errors import ModelError

INDEX = "model.safetensors.index.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "*.tiktoken")


def check(folder: Path) -> None:
    """Raise `ModelError` naming the first thing that `folder` lacks."""
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder")
    if "model_type" not in _json(folder / "config.json"):
        raise ModelError(f"{folder / 'config.json'} has no model_type, so no engine can load it")
    if not any(any(folder.glob(pattern)) for pattern in TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer: none of {', '.join(TOKENIZERS)}")
    for file in _weights(folder):
        _check_length(file)


def _weights(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        names = set(_json(folder / INDEX).get("weight_map", {}).values())
        return [folder / name for name in sorted(names)]
    found = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not found:
        raise ModelError(f"{folder} has no weights: neither *.safetensors nor *.bin")
    return found


def _check_length(file: Path) -> None:
    if not file.is_file():
        raise ModelError(f"{file} is missing: {INDEX} names it. Fetch the model again")
    size = file.stat().st_size
    wanted = _promised_bytes(file, size) if file.suffix == ".safetensors" else max(size, 1)
    if size != wanted:
        raise ModelError(f"{file} has {size} bytes of {wanted}: fetch it again")


def _promised_bytes(file: Path, size: int) -> int:
    """8 bytes say how long the JSON header is; the header says where each tensor ends."""
    with file.open("rb") as opened:
        header_bytes = int.from_bytes(opened.read(8), "little")
        if 8 + header_bytes > size:
            return 8 + header_bytes
        header = json.loads(opened.read(header_bytes))
    header.pop("__metadata__", None)
    ends = (int(tensor["data_offsets"][1]) for tensor in header.values())
    return 8 + header_bytes + max(ends, default=0)


def _json(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{file} is missing: this is no checkpoint") from None
    except ValueError as error:
        raise ModelError(f"{file} is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ModelError(f"{file} is not a JSON object")
    return read
