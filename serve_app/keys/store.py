"""Changing a keys file: whole files only, and one change at a time."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from serve_app.keys.file import parse, read
from serve_app.keys.record import KeyRecord

Records = Sequence[KeyRecord]

NEW_FILE_MODE = 0o600


def change(file: Path, to: Callable[[Records], Records]) -> None:
    """Replace the records of `file`, which need not exist, by what `to` makes of them.

    A gateway that reads at the same time sees the old file or the new one. Raises
    `ConfigError`, and `OSError` when the folder cannot be written.
    """
    target = file.resolve()  # a link stays, and its file is replaced
    with _alone(target.parent):
        records = load(target) if target.exists() else ()
        _replace(target, as_yaml(to(records)))


def load(file: Path) -> Records:
    return parse(read(file), source=str(file))


def as_yaml(records: Records) -> str:
    """The text of a keys file; what has its default is left out."""
    keys = [record.model_dump(mode="json", exclude_defaults=True) for record in records]
    return yaml.safe_dump({"keys": keys}, sort_keys=False, allow_unicode=True)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Of two commands at once, one would undo what the other has done: a revocation, say."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _replace(target: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=target.parent, delete=False, encoding="utf-8") as new:
        try:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
            _like(target, new.fileno())
            Path(new.name).replace(target)
        except BaseException:
            Path(new.name).unlink()
            raise


def _like(old: Path, new: int) -> None:
    """Whoever could read the file, such as the user of a gateway, still can."""
    os.fchmod(new, NEW_FILE_MODE)
    if old.exists():
        found = old.stat()
        os.fchmod(new, found.st_mode & 0o777)
        with suppress(PermissionError):
            os.fchown(new, found.st_uid, found.st_gid)
