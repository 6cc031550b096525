"""Queue depth moves replicas through Serve's real controller, and no request fails."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ray.serve_run import serve_run, variant

pytestmark = pytest.mark.ray

PORT = 8101
MODEL = "simulated"


def one_to_three(document: dict[str, Any]) -> None:
    """Two sequences a replica, an answer of one second, quick to grow and to shrink."""
    document["http_options"]["port"] = PORT
    engine = document["applications"][0]
    engine["args"]["simulated"] = {"decode_step_s": 0.05, "max_num_seqs": 2, "load_s": 1.0}
    scaling = engine["deployments"][0]["autoscaling_config"]
    scaling |= {"min_replicas": 1, "max_replicas": 3}


def test_load_takes_it_from_one_to_three_and_silence_back(tmp_path: Path) -> None:
    file = variant("simulated.yaml", tmp_path / "scaling.yaml", one_to_three)
    with serve_run(file, tmp_path / "serve_run.log", port=PORT) as running:
        running.until(lambda: running.replicas(MODEL) == 1, "one replica", timeout_s=120)

        statuses, most = asyncio.run(_load(running.url, lambda: running.replicas(MODEL)))

        assert set(statuses) == {200}
        assert most == 3
        running.until(lambda: running.replicas(MODEL) == 1, "one replica again", timeout_s=60)
        assert "need" in running.log  # each change came with its reason


async def _load(url: str, replicas: Any) -> tuple[list[int], int]:
    """Twelve clients, one request after the other, until three replicas serve, or a minute."""
    statuses: list[int] = []
    most = 0

    async def client(http: httpx.AsyncClient) -> None:
        messages = [{"role": "user", "content": "one two three"}]
        body = {"model": MODEL, "messages": messages, "max_tokens": 20}
        for _ in range(60):
            if most == 3:
                return
            statuses.append((await http.post("/v1/chat/completions", json=body)).status_code)

    async def watch() -> None:
        nonlocal most
        for _ in range(120):
            most = max(most, await asyncio.to_thread(replicas))
            if most == 3:
                return
            await asyncio.sleep(0.5)

    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        await asyncio.gather(watch(), *(client(http) for _ in range(12)))
    return statuses, most
