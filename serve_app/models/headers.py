"""What a checkpoint says about itself: its config.json, and names, types and shapes of its tensors.

A safetensors file begins with the length of its header, then the header. From a hub both come by
HTTP ranges: some hundred kB of DeepSeek-V3's 689 GB.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_app.models import hub
from serve_app.models.errors import ModelError
from serve_app.models.meter import WORKERS

LONGEST_HEADER = 100_000_000  # the format's own limit
BITS = {"F4": 4, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F16": 16, "BF16": 16, "F32": 32}
BITS |= {"F64": 64, "BOOL": 8, "I8": 8, "U8": 8, "I16": 16, "U16": 16, "I32": 32, "U32": 32}
BITS |= {"I64": 64, "U64": 64}

Read = Callable[[str, int, int], bytes]  # file, first byte, length


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Headers:
    """A config.json, and the tensors of a checkpoint; none where its weights are pickles."""

    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]


def of_folder(folder: Path) -> Headers:
    """Of a checkpoint on this machine; raises `ModelError`."""

    def read(name: str, begin: int, length: int) -> bytes:
        with (folder / name).open("rb") as opened:
            opened.seek(begin)
            return opened.read(length)

    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has no config.json that can be read ({error})") from None
    return _headers(config, sorted(file.name for file in folder.glob("*.safetensors")), read)


def of_hub(repo: str, *, endpoint: str | None = None) -> Headers:
    """Of a repository of $HF_ENDPOINT, or of another hub; raises `ModelError`."""
    endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or hub.HUB).rstrip("/")
    with hub.explained(repo, endpoint):
        commit, files = hub.listed(repo, endpoint)
        sizes = {file.path: file.size_bytes for file in files}
        if "config.json" not in sizes:
            raise ModelError(f"{repo} has no config.json")
        url = f"{endpoint}/{repo}/resolve/{commit}"

        def read(name: str, begin: int, length: int) -> bytes:
            return hub.get_range(f"{url}/{name}", begin, length)

        config = json.loads(read("config.json", 0, sizes["config.json"]))
        names = [path for path in sizes if path.endswith(".safetensors")]
        return _headers(config, names, read)


def _headers(config: Mapping[str, Any], files: list[str], read: Read) -> Headers:
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda name: _tensors(name, read), files))
    return Headers(config, tuple(tensor for tensors in found for tensor in tensors))


def _tensors(file: str, read: Read) -> list[Tensor]:
    length = int.from_bytes(read(file, 0, 8), "little")
    if not 0 < length <= LONGEST_HEADER:
        raise ModelError(f"{file} is no safetensors file: its header would be {length} bytes long")
    try:
        header = json.loads(read(file, 8, length))
        return [_tensor(name, spec) for name, spec in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{file} has a header that cannot be read ({error!r})") from error


def _tensor(name: str, spec: Mapping[str, Any]) -> Tensor:
    return Tensor(name, math.prod(spec["shape"]) * BITS[spec["dtype"]] // 8)
