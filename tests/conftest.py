"""What several folders of tests share."""

import subprocess
import sys
from pathlib import Path

import pytest

SMOLLM2 = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The local model, in the cache."""
    subprocess.run(
        [Path(sys.executable).parent / "serve-app", "models", "fetch", SMOLLM2],
        check=True,
        timeout=600,
    )
    return SMOLLM2
