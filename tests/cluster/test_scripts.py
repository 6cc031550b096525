"""The scripts, their environment and the units, as far as no Ray has to start.

tests/ray/test_tensor_parallel.py starts two nodes by them.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray.serve_run import BIN, CLUSTER

SCRIPTS = sorted(CLUSTER.glob("*.sh"))
VARIABLES = [CLUSTER / "environment", *sorted(CLUSTER.glob("*.env"))]
UNITS = sorted((CLUSTER / "systemd").glob("*.service"))
COMMANDS = ("head.sh", "worker.sh")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing_and_a_script_is_short(script: Path) -> None:
    checked = shellcheck("--external-sources", "--source-path", CLUSTER, script)

    assert checked.stdout == ""
    assert checked.returncode == 0
    assert len(script.read_text().splitlines()) < 60


@pytest.mark.parametrize("file", VARIABLES, ids=lambda file: file.name)
def test_shellcheck_finds_nothing_in_files_of_variables(file: Path) -> None:
    unused = "SC2034"  # others use them
    checked = shellcheck("--shell=sh", f"--exclude={unused}", file)

    assert checked.stdout == ""
    assert checked.returncode == 0


def shellcheck(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "shellcheck", *arguments], capture_output=True, text=True, check=False
    )


def test_every_variable_of_the_environment_has_a_comment() -> None:
    """One comment for each group of lines that stand together."""
    lines = (CLUSTER / "environment").read_text().splitlines()
    is_variable = [bool(re.match(r"(# )?[A-Z]\w+=\S", line)) for line in lines]
    first = [i for i, yes in enumerate(is_variable) if yes and not is_variable[i - 1]]

    assert sum(is_variable) > 10
    assert [lines[i] for i in first if not re.match(r"# [A-Z]?[a-z :]", lines[i - 1])] == []


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """cluster/environment, with a token in a folder of this test and an address of nobody."""
    file = tmp_path / "environment"
    changed = {
        "SERVE_APP_HEAD": "127.0.0.2:1",
        "SERVE_APP_VENV": sys.prefix,
        "RAY_AUTH_TOKEN_PATH": tmp_path / "ray-token",
    }
    lines = (f"{name}={value}" for name, value in changed.items())
    file.write_text(f". {CLUSTER}/environment\n" + "\n".join(lines))
    return file


def run(script: str, environment: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [CLUSTER / script, environment, *options]
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return subprocess.run(
        command, env=clean, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_worker_without_a_token_does_not_start(environment: Path) -> None:
    ended = run("worker.sh", environment)

    assert ended.returncode == 1
    assert "no token" in ended.stderr


@pytest.mark.parametrize("script", COMMANDS)
def test_a_token_that_others_may_read_is_refused(script: str, environment: Path) -> None:
    token = environment.with_name("ray-token")
    token.write_text("0" * 64)
    token.chmod(0o640)

    ended = run(script, environment)

    assert ended.returncode == 1
    assert f"chmod 600 {token}" in ended.stderr


def test_the_head_makes_a_token_once_and_never_prints_it(environment: Path) -> None:
    made = []
    for _ in range(2):
        ended = run("head.sh", environment, "--help")  # `ray start` says how it is used, and ends
        made.append(environment.with_name("ray-token").read_text())
        assert ended.returncode == 0, ended.stderr
        assert made[-1] not in ended.stdout + ended.stderr

    assert made[0] == made[1]
    assert re.fullmatch("[0-9a-f]{64}", made[0])
    assert environment.with_name("ray-token").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/serve-app/", f"{CLUSTER.parent}/"))

    checked = subprocess.run(
        ["systemd-analyze", "verify", here], capture_output=True, text=True, check=False
    )

    assert checked.stderr == ""
    assert checked.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_script_that_exists_and_waits_longer_than_a_drain(unit: Path) -> None:
    text = unit.read_text()
    [script] = re.findall(r"\nExecStart=/opt/serve-app/(\S+) /etc/serve-app/environment", text)
    [wait_s] = re.findall(r"\nTimeoutStopSec=(\d+)\n", text)
    [drain_s] = re.findall(r"\nSERVE_APP_DRAIN_S=(\d+)\n", VARIABLES[0].read_text())

    assert os.access(CLUSTER.parent / script, os.X_OK)
    assert int(wait_s) > (int(drain_s) if "worker" in unit.name else 30)
