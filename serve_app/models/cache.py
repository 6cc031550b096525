"""One folder holds every model, each under its name, and only whole ones.

A model is built in `.partial/<name>` on the same disk and moved into place with one
rename, after a check: whatever is found under its name is complete. What an interrupted
fetch leaves in `.partial` is where the next one goes on.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serve_app.models import checkpoint
from serve_app.models.errors import ModelError

VARIABLE = "SERVE_APP_MODELS"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")

FreeBytes = Callable[[Path], int]


def is_path(name: str) -> bool:
    """Whether a folder is meant: written with a leading `/`, `./`, `../` or `~`.

    >>> is_path("./tuned"), is_path("deepseek-ai/DeepSeek-V3")
    (True, False)
    """
    return name.startswith(("/", ".", "~"))


def root(to: Path | None = None) -> Path:
    """The cache folder: `to`, else $SERVE_APP_MODELS, else ~/.cache/serve-app/models."""
    folder = to or os.environ.get(VARIABLE) or "~/.cache/serve-app/models"
    return Path(folder).expanduser().absolute()


def place(name: str, at: Path) -> Path:
    """Where the model called `name` is, or will be; raises `ModelError` for what is no name."""
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} is no model: give a name such as smollm2-135m-instruct, a Hugging Face "
            "id such as deepseek-ai/DeepSeek-V3, or a folder with a leading / or ./"
        )
    return at / name


def locate(name: str) -> Path:
    """The folder that a path, a name or a Hugging Face id stands for; no look at what is in it."""
    if is_path(name):
        return Path(name).expanduser().absolute()
    folder = place(name, root())
    if not folder.is_dir():
        raise ModelError(
            f"{name} is not in {root()}. Fetch it with `serve-app models fetch {name}`; if it is "
            f"in another folder, set {VARIABLE} to that folder. A path starts with / or ./"
        )
    return folder


def resolve(name: str) -> Path:
    """The folder of a checkpoint, from a path, a name or a Hugging Face id; no network."""
    folder = locate(name)
    if is_path(name):
        checkpoint.check(folder)
    return folder


@contextmanager
def staged(name: str, at: Path) -> Iterator[Path]:
    """A folder that becomes the model called `name`, if no error ends the block.

    The folder around it is for what is needed on the way. One process at a time.
    """
    target, work = place(name, at), at / ".partial" / name
    folder = work / "model"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(work / "lock"):
        yield folder
        checkpoint.check(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    shutil.rmtree(work)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(
                f"another process is writing to {file.parent}: run this again when it is done"
            ) from None
        yield


def free_bytes(folder: Path) -> int:
    """What the disk under `folder` can still hold."""
    return shutil.disk_usage(folder).free


def check_room(needed_bytes: int, folder: Path, free: FreeBytes = free_bytes) -> None:
    """Raise `ModelError` when the disk under `folder` cannot take `needed_bytes` more."""
    available = free(folder)
    if needed_bytes > available:
        raise ModelError(
            f"{needed_bytes / 1e9:.1f} GB are still to come, and the disk of {folder} has "
            f"{available / 1e9:.1f} GB free: make room, or choose another disk with --to or "
            f"{VARIABLE}"
        )
