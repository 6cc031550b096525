"""Which files of a repository vLLM reads, and how to know that they arrived whole.

Repositories hold the same weights several times: as safetensors and as pickles, whole and
`consolidated`, plus other runtimes' in subfolders. One set is enough, safetensors first.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serve_app.models.errors import ModelError

# Python files run only where the YAML says trust_remote_code.
SMALL = frozenset({".json", ".jinja", ".model", ".tiktoken", ".txt", ".py"})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub lists it; `sha256` is known for large files, `git_sha1` for the rest."""

    path: str
    size_bytes: int
    git_sha1: str
    sha256: str | None = None

    def is_same_as(self, local: Path) -> bool:
        """Whether the content of `local` has the hash that the hub lists."""
        if self.sha256 is not None:
            with local.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest() == self.sha256
        content = local.read_bytes()
        blob = b"blob %d\0" % len(content) + content
        return hashlib.sha1(blob, usedforsecurity=False).hexdigest() == self.git_sha1


def wanted(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files to fetch; raises `ModelError` when no weights are among them."""
    weights = _weights([f for f in files if "/" not in f.path])
    if not weights:
        raise ModelError("it holds no weights that vLLM reads: neither *.safetensors nor *.bin")
    return [f for f in files if _is_small(PurePosixPath(f.path))] + weights


def _is_small(path: PurePosixPath) -> bool:
    if path.is_absolute() or ".." in path.parts:
        return False  # a listing must not write outside the model's folder
    # Subfolders describe parts of embedding models (1_Pooling/config.json); their weights do not.
    return path.suffix in (SMALL if path.parent == PurePosixPath() else {".json"})


def _weights(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    tensors = [f for f in files if f.path.endswith(".safetensors")]
    sharded = [f for f in tensors if not f.path.startswith("consolidated")]
    pickles = [f for f in files if f.path.startswith("pytorch_model") and f.path.endswith(".bin")]
    return sharded or tensors or pickles
