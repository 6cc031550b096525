"""Clients that hardly read, beside clients that do: spacing and memory of the others."""

import asyncio
import statistics
import time
import urllib.request
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
import yaml

from serve_app.bench.here.cluster import environment, serving
from serve_app.bench.here.page import spread, table, write
from serve_app.bench.here.reader import chat

FILE = Path("deployments/simulated.yaml")
STEP_S = 0.02
READERS, SLOW = 20, 50
TOKENS = 500  # ten seconds
SLOW_TOKENS = 60_000
BYTES, EVERY_S = 10, 1.0  # what a slow client reads
KEPT_BYTES = 4096  # in its socket: the rest has to stay where it comes from
ALONE, BESIDE = "alone", f"beside {SLOW} slow clients"


@dataclass
class Spacing:
    """Time between events, over all readers, and the gateway's memory; a value per round."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


def measure(folder: Path, *, rounds: int) -> None:
    """Both situations take turns, against one gateway behind HAProxy."""
    document = yaml.safe_load(FILE.read_text())
    engine, gateway = document["applications"]
    engine["args"]["simulated"] = {
        "decode_step_s": STEP_S,
        "decode_step_per_seq_s": 0.0,
        "max_num_seqs": 256,
        "kv_tokens": 10_000_000,
        "max_model_len": 2 * SLOW_TOKENS,
    }
    engine["deployments"][0]["max_ongoing_requests"] = 400
    engine["deployments"][0]["autoscaling_config"].update(min_replicas=1, max_replicas=1)
    config = {"idle_write_timeout_s": 600, "limits": {"max_tokens": 2 * SLOW_TOKENS}}
    gateway["deployments"][0]["user_config"] = config
    spacings = {name: Spacing() for name in (ALONE, BESIDE)}
    with serving(document, folder, environment("haproxy")) as url:
        for number in range(rounds + 1):
            for name, spacing in spacings.items():
                noted = spacing if number else Spacing()
                uvloop.run(_situation(url, noted, slow=SLOW if name == BESIDE else 0))
                print(f"round {number} of {rounds}: {name}: {noted.p99_ms[-1]:.1f} ms", flush=True)
    _write(spacings, rounds)


async def _situation(url: str, noted: Spacing, *, slow: int) -> None:
    request = chat(url, output_tokens=SLOW_TOKENS)
    crawling = [asyncio.create_task(_crawl(url, request)) for _ in range(slow)]
    if slow:
        await asyncio.sleep(5)  # until what they do not take has come to rest
    read = chat(url, output_tokens=TOKENS)
    times = await asyncio.gather(*(_arrivals(url, read) for _ in range(READERS)))
    gaps = [(later - earlier) * 1e3 for each in times for earlier, later in pairwise(each)]
    noted.p50_ms.append(statistics.median(gaps))
    noted.p99_ms.append(statistics.quantiles(gaps, n=100)[98])
    noted.memory_mb.append(await asyncio.to_thread(_memory_mb, url))
    for task in crawling:
        task.cancel()
    await asyncio.gather(*crawling, return_exceptions=True)


async def _arrivals(url: str, request: bytes) -> list[float]:
    reader, writer = await _asking(url, request)
    times = []
    while await reader.read(65536):
        times.append(time.perf_counter())
    writer.close()
    return times


async def _crawl(url: str, request: bytes) -> None:
    reader, writer = await _asking(url, request, limit=KEPT_BYTES)
    try:
        while await reader.read(BYTES):  # noqa: ASYNC110 - it waits for nothing
            await asyncio.sleep(EVERY_S)
    finally:
        writer.transport.abort()


async def _asking(
    url: str, request: bytes, *, limit: int = 65536
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=limit)
    writer.write(request)
    return reader, writer


def _memory_mb(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - ours
        lines = answer.read().decode().splitlines()
    [line] = [line for line in lines if line.startswith("process_resident_memory_bytes ")]
    return float(line.split()[1]) / 1e6


def _write(spacings: dict[str, Spacing], rounds: int) -> None:
    alone = spacings[ALONE]
    write(
        "slow",
        "Beside clients that hardly read",
        f"`{FILE}` behind HAProxy, engine steps of {STEP_S * 1e3:.0f} ms, {READERS} streams of "
        f"{TOKENS} tokens, {rounds} rounds after one that does not count. {SLOW} other clients "
        f"read {BYTES} bytes a second of {SLOW_TOKENS:,} tokens each. Spacing is the time between "
        "two reads of a client, over all of them.",
        table(
            ["readers", "spacing p50, ms", "spacing p99, ms", "p99 ÷ alone", "gateway, MB"],
            [
                [
                    name,
                    spread(it.p50_ms, 1),
                    spread(it.p99_ms, 1),
                    spread([a / b for a, b in zip(it.p99_ms, alone.p99_ms, strict=True)], 2),
                    spread(it.memory_mb, 1),
                ]
                for name, it in spacings.items()
            ],
        ),
    )
