"""The formats by name, as a command line asks for them."""

from pathlib import Path

from serve_app.checking.problem import nearest
from serve_app.traces import files, servegen
from serve_app.traces.errors import TraceError
from serve_app.traces.recorded import Trace

FORMATS = ("servegen", "mooncake", "azure")


def read(path: Path, name: str, *, seed: int = 0) -> Trace:
    """The trace at `path`; raises `TraceError`. `seed` is for those that are drawn."""
    if name not in FORMATS:
        raise TraceError(f"there is no format {name}{nearest(name, FORMATS)} (has: {_has()})")
    if not path.exists():
        raise TraceError(f"{path} is not there")
    if path.is_dir() != (name == "servegen"):
        kind = "a folder" if path.is_dir() else "a file"
        raise TraceError(f"{path} is {kind}: servegen is a folder, mooncake and azure are files")
    if name == "servegen":
        return servegen.read(path, seed=seed)
    if name == "mooncake":
        return files.read(path, "mooncake").spread(seed)
    return files.read(path, "azure")


def _has() -> str:
    return ", ".join(FORMATS)
