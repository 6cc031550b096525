"""What cannot run ends `serve run` with one message, instead of waiting for ever."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.ray.serve_run import DEPLOYMENTS, serve_run, variant

pytestmark = pytest.mark.ray


def refused(file: Path, log: Path) -> tuple[str, float]:
    """What `serve run` printed, and how long it took to end."""
    started = time.monotonic()
    with serve_run(file, log) as running:
        status = running.process.wait(timeout=120)
        took_s = time.monotonic() - started
    assert status != 0
    assert running.log.count("REFUSED") == 1
    return running.log, took_s


def test_deepseek_on_a_laptop_says_what_it_needs_what_there_is_and_what_runs_here(
    tmp_path: Path,
) -> None:
    log, took_s = refused(DEPLOYMENTS / "deepseek.yaml", tmp_path / "log")

    assert "8 GPU" in log
    assert "ray status has: 0 GPU" in log
    assert f"serve run {DEPLOYMENTS / 'local.yaml'}" in log
    # 9 to 14 s on a quiet machine, most of it Ray's own start; a busy host has made it 36.
    assert took_s < 60


def test_a_typo_that_serve_would_ignore_is_refused_with_the_nearest_key(tmp_path: Path) -> None:
    def misspell(document: dict[str, Any]) -> None:
        scaling = document["applications"][0]["deployments"][0]["autoscaling_config"]
        scaling["max_replicass"] = scaling.pop("max_replicas")

    file = variant("simulated.yaml", tmp_path / "typo.yaml", misspell)
    log, _ = refused(file, tmp_path / "log")

    assert "max_replicass" in log
    assert "did you mean max_replicas?" in log


def test_an_argument_that_vllm_dropped_is_refused_with_its_replacement(tmp_path: Path) -> None:
    def old(document: dict[str, Any]) -> None:
        document["applications"][0]["args"]["vllm"]["swap_space"] = 4

    log, _ = refused(variant("local.yaml", tmp_path / "old.yaml", old), tmp_path / "log")

    assert "swap_space" in log
    assert "kv_offloading_size" in log


def test_a_model_that_is_not_there_is_said_by_ready_without_a_stack(tmp_path: Path) -> None:
    def missing(document: dict[str, Any]) -> None:
        document["applications"][0]["args"]["model"] = "nobody/has-this"

    file = variant("local.yaml", tmp_path / "missing.yaml", missing)
    with serve_run(file, tmp_path / "log") as running:
        running.until(lambda: "nobody/has-this" in running.get("/ready")[1], "reason", 120)
        status, text = running.get("/ready")

    assert status == 503
    assert "serve-app models fetch nobody/has-this" in text
    assert "Traceback" not in text
    assert "File " not in text


@pytest.mark.vllm
def test_vllm_that_is_not_loaded_in_time_is_ended_and_its_phase_is_said(tmp_path: Path) -> None:
    def hurry(document: dict[str, Any]) -> None:
        document["applications"][0]["args"] |= {"load_timeout_s": 2, "start_attempts": 1}

    file = variant("local.yaml", tmp_path / "hurry.yaml", hurry)
    with serve_run(file, tmp_path / "log") as running:
        running.until(lambda: "load_timeout_s" in running.get("/ready")[1], "reason", 180)
        _, text = running.get("/ready")

    assert "DEPLOY_FAILED" in text
    assert "not ready after 2 s (load_timeout_s): time was up while" in text
    assert "LoadTimeout" in running.log
