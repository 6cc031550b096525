"""What the gateway adds to a direct call, beside what vllm-router adds to the same engine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from serve_app.bench.here.cluster import environment, free_port, process, serving, wait_for
from serve_app.bench.here.page import median, spread, table, write
from serve_app.bench.here.reader import chat, read
from serve_app.bench.here.simulated import QUIET, applications

ALONE = 100
CROWD = 32
STREAMS = 64
TARGETS = ("direct", "vllm-router", "gateway (HAProxy)", "gateway (proxy)")


@dataclass
class Numbers:
    """One target's, a value per round."""

    ttft_ms: list[float] = field(default_factory=list)
    requests_per_s: list[float] = field(default_factory=list)
    frames_per_s: list[float] = field(default_factory=list)


def measure(folder: Path, *, rounds: int, router: str) -> None:
    """`router` is the vllm-router executable."""
    numbers = {name: Numbers() for name in TARGETS}
    with _targets(folder, router) as urls:
        for number in range(rounds + 1):
            for name, url in urls.items():
                _round(url, numbers[name] if number else Numbers())
                print(f"round {number} of {rounds}: {name}", flush=True)
    write(
        "peers",
        "Beside vllm-router",
        f"The same simulated engine without think time, {rounds} rounds after one that does not "
        "count. *Direct*: the engine behind uvicorn, httptools and uvloop. *vllm-router*: 0.1.17, "
        "round robin, in front of that server. *Gateway*: this project, the engine in a Serve "
        f"replica. TTFT: median of {ALONE} requests for one token, one after the other. Requests "
        f"a second: {CROWD} at once, 8 tokens each. Frames a second: {STREAMS} streams of 300.",
        table(
            [
                "target",
                "TTFT p50, ms",
                "added to direct, ms",
                "requests/s",
                "÷ vllm-router",
                "frames/s",
                "÷ vllm-router",
            ],
            [_row(name, numbers) for name in TARGETS],
        ),
    )


def _row(name: str, numbers: dict[str, Numbers]) -> list[str]:
    mine, direct, peer = numbers[name], numbers["direct"], numbers["vllm-router"]
    added = [a - b for a, b in zip(mine.ttft_ms, direct.ttft_ms, strict=True)]
    return [
        name,
        spread(mine.ttft_ms, 2),
        spread(added, 2),
        spread(mine.requests_per_s),
        f"{median(mine.requests_per_s) / median(peer.requests_per_s):.2f}",
        spread(mine.frames_per_s),
        f"{median(mine.frames_per_s) / median(peer.frames_per_s):.2f}",
    ]


def _round(url: str, numbers: Numbers) -> None:
    one, few, many = (chat(url, output_tokens=count) for count in (1, 8, 300))

    async def alone() -> float:
        return median([(await read(url, one, streams=1)).ttft_s for _ in range(ALONE)])

    async def crowd() -> float:
        readings = [await read(url, few, streams=CROWD) for _ in range(10)]
        if sum(reading.whole for reading in readings) != 10 * CROWD:
            raise RuntimeError(f"answers of {url} broke off")
        return 10 * CROWD / sum(reading.seconds for reading in readings)

    numbers.ttft_ms.append(uvloop.run(alone()) * 1e3)
    numbers.requests_per_s.append(uvloop.run(crowd()))
    numbers.frames_per_s.append(uvloop.run(read(url, many, streams=STREAMS)).frames_per_s)


@contextmanager
def _targets(folder: Path, router: str) -> Iterator[dict[str, str]]:
    engine, routed = free_port(), free_port()
    document = {"logging_config": QUIET, "applications": applications()}
    server = [sys.executable, "-m", "serve_app.bench.here.simulated", "--port", str(engine)]
    direct = f"http://127.0.0.1:{engine}"
    peer = [router, "--port", str(routed), "--worker-urls", direct, "--policy", "round_robin"]
    with (
        process(server, folder / "engine.log") as serving_direct,
        process(peer, folder / "vllm-router.log") as routing,
        serving(document, folder, environment("haproxy")) as behind_haproxy,
        serving(document, folder, environment("proxy")) as behind_proxy,
    ):
        wait_for(direct + "/v1/models", serving_direct)
        wait_for(f"http://127.0.0.1:{routed}/health", routing)
        yield {
            "direct": direct,
            "vllm-router": f"http://127.0.0.1:{routed}",
            "gateway (HAProxy)": behind_haproxy,
            "gateway (proxy)": behind_proxy,
        }
