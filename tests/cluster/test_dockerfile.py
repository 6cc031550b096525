"""cluster/Dockerfile. Nothing here builds it: it is checked by reading."""

import json
import re
import subprocess

from tests.ray.serve_run import BIN, CLUSTER

ROOT = CLUSTER.parent
FILE = CLUSTER / "Dockerfile"
LINES = re.sub(r"\\\n", " ", FILE.read_text()).splitlines()


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run([BIN / "hadolint", FILE], capture_output=True, text=True, check=False)

    assert found.stdout == ""
    assert found.returncode == 0


def test_everything_that_is_copied_exists() -> None:
    copied = [name for line in LINES if line.startswith("COPY") for name in line.split()[1:-1]]

    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_what_it_runs_exists_and_is_not_run_by_root() -> None:
    run = [json.loads(line.split(maxsplit=1)[1]) for line in LINES if line.startswith("CMD")]
    run += [
        json.loads(part) for part in re.findall(r"HEALTHCHECK.* CMD (\[.*\])", "\n".join(LINES))
    ]

    assert len(run) == 2
    assert all((ROOT / command[0]).stat().st_mode & 0o111 for command in run)
    assert [line for line in LINES if line.startswith("USER")] == ["USER 1000"]
