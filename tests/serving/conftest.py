"""A keys file with one key in it, and the ring that a gateway makes of it."""

from pathlib import Path

import pytest

from serve_app.serving.keys import KeyRing
from tests.serving.keyed import add_key, ring


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.yaml"


@pytest.fixture(scope="module")
def key(file: Path) -> str:
    return add_key(file)


@pytest.fixture(scope="module")
def keys(file: Path, key: str) -> KeyRing:
    return ring(file)
