"""The cache of one node, for the command that runs on another: a Ray actor, pinned there."""

import hashlib
import os
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from serve_app.models import checkpoint, hub
from serve_app.models.cache import check_room, free_bytes, place, root, staged
from serve_app.models.command import cached
from serve_app.models.errors import ModelError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
"""As an array, because Ray hands arrays out of its object store without a copy."""

_SIGNS = ".seen-"
_PART = ".part"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a model, with its path inside the model's folder."""

    path: str
    size_bytes: int


class Holder:
    """The model called `name` in the cache of this node, or in `to`."""

    def __init__(self, name: str, to: str | None) -> None:
        self._name = name
        self._root = root(Path(to) if to else None)
        self._target = place(name, self._root)
        self._sign = self._root / f"{_SIGNS}{uuid.uuid4().hex}"
        self._staging: AbstractContextManager[Path] | None = None
        self._folder = self._target

    def sign(self) -> None:
        """Leave a sign in the cache folder; whoever sees it too has the same disk."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._sign.touch()

    def signs(self) -> str:
        """All signs here, as one word."""
        return " ".join(sorted(sign.name for sign in self._root.glob(f"{_SIGNS}*")))

    def look(self) -> tuple[bool, int]:
        """Whether the model is here and whole, and how much room there is. Raises `ModelError`
        for one that is here and is not."""
        self._sign.unlink(missing_ok=True)
        if not self._target.is_dir():
            return False, free_bytes(self._root)
        checkpoint.check(self._target)
        return True, free_bytes(self._root)

    def download(self) -> None:
        """As `serve-app models fetch`: from the hub, with its hashes."""
        _drop_parts(self._root / ".partial" / self._name)
        cached(self._name, self._root)

    def bytes_here(self) -> int:
        """Of the model, in its place or on the way to it."""
        folders = (self._target, self._root / ".partial" / self._name)
        return sum(entry.size_bytes for f in folders if f.is_dir() for entry in _entries(f))

    def entries(self) -> list[Entry]:
        return _entries(self._target)

    def hub_says(self) -> str:
        """Compare every file with the hash that the hub lists; what that showed, in words.
        Raises `ModelError` where one differs."""
        endpoint = os.environ.get("HF_ENDPOINT") or hub.HUB
        try:
            with hub.explained(self._name, endpoint):
                _, files = hub.listed(self._name, endpoint)
        except ModelError:
            return "the hub was not to be asked"
        for file in files:
            if not (local := self._target / file.path).is_file() or not file.is_same_as(local):
                raise ModelError(f"{local} is not what the hub lists: delete {self._target}")
        return "hashes as the hub lists them"

    def read(self, path: str, offset: int, size: int) -> Bytes:
        return np.fromfile(self._target / path, np.uint8, count=size, offset=offset)

    def begin(self, entries: list[Entry]) -> list[Entry]:
        """Make room for `entries`; those that are yet to come, when an earlier copy got so far."""
        self._staging = staged(self._name, self._root)
        self._folder = self._staging.__enter__()
        missing = [entry for entry in entries if not self._has(entry)]
        check_room(sum(entry.size_bytes for entry in missing), self._folder)
        _drop_parts(self._folder)
        for entry in missing:
            part = self._part(entry.path)
            part.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
        return missing

    def write(self, path: str, offset: int, content: Bytes) -> int:
        """A piece of a file, in any order; its size."""
        descriptor = os.open(self._part(path), os.O_WRONLY)
        try:
            return os.pwrite(descriptor, content.data, offset)
        finally:
            os.close(descriptor)

    def complete(self, path: str, sha256: str) -> None:
        """All of a file is here, now or from an earlier copy; raises `ModelError` when it is not
        what the source has."""
        part, whole = self._part(path), self._folder / path
        file = part if part.exists() else whole
        if _sha256(file) != sha256:
            file.unlink()
            raise ModelError(f"{path} arrived with another hash: run the same command again")
        file.rename(whole)

    def finish(self) -> None:
        """Move the model into its place, if it is whole."""
        if self._staging is not None:
            self._staging.__exit__(None, None, None)

    def sha256(self, path: str) -> str:
        return _sha256(self._target / path)

    def _has(self, entry: Entry) -> bool:
        file = self._folder / entry.path
        return file.is_file() and file.stat().st_size == entry.size_bytes

    def _part(self, path: str) -> Path:
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts:
            raise ModelError(f"{path} is outside of the model's folder")
        return self._folder / f"{path}{_PART}"


def _entries(folder: Path) -> list[Entry]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [Entry(f.relative_to(folder).as_posix(), f.stat().st_size) for f in files]


def _drop_parts(folder: Path) -> None:
    """Files that an earlier copy did not complete."""
    for part in [*folder.rglob(f"*{_PART}")]:
        part.unlink()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
