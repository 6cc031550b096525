"""Clusters that tests share: starting one costs more than the tests that run on it."""

from collections.abc import Iterator

import pytest

from tests.ray.serve_run import DEPLOYMENTS, ServeRun, serve_run


@pytest.fixture(scope="module")
def local(smollm2: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    """deployments/local.yaml, ready: real vLLM on this CPU."""
    log = tmp_path_factory.mktemp("local") / "serve_run.log"
    with serve_run(DEPLOYMENTS / "local.yaml", log) as running:
        running.until(lambda: running.replicas(smollm2), "replica", timeout_s=240)
        yield running
