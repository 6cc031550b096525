"""`serve-app models fetch`: a name, a Hugging Face id or a folder becomes a checked checkpoint."""

import shutil
import sys
from functools import partial
from pathlib import Path

from serve_app.models import checkpoint, hub, smollm2
from serve_app.models.cache import VARIABLE, check_room, is_path, place, root, staged
from serve_app.models.errors import ModelError


def fetch(name: str, to: Path | None = None) -> int:
    """Make sure that `name` is on this machine; no network when it is. Returns the exit status.

    `to` is the cache folder, in place of $SERVE_APP_MODELS. A folder is checked where it is,
    and copied only when `to` says where to.
    """
    try:
        folder = _local(name, to) if is_path(name) else cached(name, root(to))
    except ModelError as error:
        print(f"serve-app: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"serve-app: {error}. Choose another disk with --to or {VARIABLE}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nserve-app: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"{name} is in {folder}")
    return 0


def cached(name: str, at: Path) -> Path:
    """The folder of `name` in the cache `at`, fetched if it is not there; raises `ModelError`."""
    target = place(name, at)
    build = smollm2.build if name == smollm2.NAME else partial(hub.download, name)
    if not target.is_dir():
        with staged(name, at) as folder:
            build(folder)
    return target


def _local(name: str, to: Path | None) -> Path:
    source = Path(name).expanduser().absolute()
    checkpoint.check(source)
    if to is None:
        return source
    target = place(source.name, root(to))
    if not target.is_dir():
        with staged(source.name, root(to)) as folder:
            check_room(_bytes_in(source), folder)
            shutil.copytree(source, folder, dirs_exist_ok=True)
    return target


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
