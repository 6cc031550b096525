"""What a folder must hold before an engine is started on it.

Configuration, tokenizer, and every tensor that the weights promise. A safetensors file
says in its header how long it is, so a truncated one is found without reading it.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from serve_app.models.errors import ModelError

INDEX = "model.safetensors.index.json"
WORKERS = 8
LONGEST_HEADER = 100_000_000  # the format's own limit
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "*.tiktoken")


def check(folder: Path, *, has_weights: bool = True) -> None:
    """Raise `ModelError` naming what `folder` lacks; without weights for those that get them
    from elsewhere."""
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder")
    if "model_type" not in config(folder):
        raise ModelError(f"{folder / 'config.json'} has no model_type, so no engine can load it")
    if not any(any(folder.glob(pattern)) for pattern in TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer: none of {', '.join(TOKENIZERS)}")
    if has_weights:
        _check_weights(_weights(folder))


def config(folder: Path) -> dict[str, Any]:
    """The config.json of a checkpoint; raises `ModelError`."""
    return _json(folder / "config.json")


def _weights(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        shards = _json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict):
            raise ModelError(f"{folder / INDEX} has no weight_map: fetch the model again")
        return [folder / str(name) for name in sorted(set(shards.values()), key=str)]
    found = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not found:
        raise ModelError(f"{folder} has no weights: neither *.safetensors nor *.bin")
    return found


def _check_weights(files: Sequence[Path]) -> None:
    """Headers are read side by side: on a network disk each takes milliseconds."""
    with ThreadPoolExecutor(WORKERS) as pool:
        problems = [problem for problem in pool.map(_problem, files) if problem]
    if problems:
        more = f" (and {len(problems) - 1} more of its {len(files)} files)" if problems[1:] else ""
        raise ModelError(f"{problems[0]}{more}. Fetch it again")


def _problem(file: Path) -> str:
    if not file.is_file():
        return f"{file} is missing: {INDEX} names it"
    size = file.stat().st_size
    try:
        wanted = _promised_bytes(file, size) if file.suffix == ".safetensors" else max(size, 1)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{file} is no safetensors file ({type(error).__name__} in its header)"
    return "" if size == wanted else f"{file} has {size} bytes of {wanted}"


def _promised_bytes(file: Path, size: int) -> int:
    """8 bytes say how long the JSON header is; the header says where each tensor ends."""
    with file.open("rb") as opened:
        header_bytes = int.from_bytes(opened.read(8), "little")
        if 8 + header_bytes > size:
            return 8 + header_bytes
        if header_bytes > LONGEST_HEADER:
            raise ValueError("no header is so long")
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
