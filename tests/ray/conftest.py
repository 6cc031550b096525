"""Clusters that tests share: starting one costs more than the tests that run on it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.ray.serve_run import BIN, DEPLOYMENTS, ServeRun, serve_run

SMOLLM2 = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The local model, in the cache."""
    subprocess.run([BIN / "serve-app", "models", "fetch", SMOLLM2], check=True, timeout=600)
    return SMOLLM2


@pytest.fixture(scope="module")
def local(smollm2: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    """deployments/local.yaml, ready: real vLLM on this CPU."""
    log = tmp_path_factory.mktemp("local") / "serve_run.log"
    with serve_run(DEPLOYMENTS / "local.yaml", log) as running:
        running.until(lambda: running.replicas(smollm2), "replica", timeout_s=240)
        yield running
