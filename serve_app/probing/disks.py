"""Where an engine writes while it starts, and whether it can."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from serve_app.core.preflight.node import Disk

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - its size is asked, nothing is written


def written() -> Mapping[str, str]:
    """Folders by purpose, by the variables of this process: those of the engine's ranks too."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return {
        "VLLM_CACHE_ROOT, compiled kernels": os.environ.get("VLLM_CACHE_ROOT") or f"{cache}/vllm",
        "TMPDIR, temporary files": tempfile.gettempdir(),
    }


def disk(purpose: str, folder: str) -> Disk:
    """`folder` need not be there yet: what it will be made in counts."""
    path = Path(folder).expanduser()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    return Disk(purpose, str(path), free, os.access(there, os.W_OK | os.X_OK))


def shared_memory() -> int | None:
    """Bytes free in /dev/shm, in which processes of a node speak; None where there is none."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None
