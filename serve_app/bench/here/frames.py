"""Frames a second through the gateway, beside what the same front carries without us.

The ceiling is an ingress that makes the chunks itself; the other road is Serve's plain one,
a deployment handle. The engine has no think time, so nothing is waited for but the road.
"""

import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from serve_app.bench.here.cluster import WAYS_IN, environment, serving
from serve_app.bench.here.page import median, spread, table, write
from serve_app.bench.here.reader import chat, get, read
from serve_app.bench.here.simulated import QUIET, applications

STREAMS = 64
ROADS = ("local", "handle", "gateway")
CHUNKS = {"local": 300, "handle": 40, "gateway": 300}
ROADS_APP = {
    "name": "roads",
    "import_path": "serve_app.bench.here.roads:app",
    "route_prefix": "/roads",
}


@dataclass
class Rates:
    """By road: frames a second, one value per round; and the gateway's CPU per frame."""

    per_s: dict[str, list[float]] = field(default_factory=lambda: {road: [] for road in ROADS})
    cpu_us: list[float] = field(default_factory=list)
    process_cpu_us: list[float] = field(default_factory=list)

    def row(self, way_in: str) -> list[str]:
        medians = {road: median(values) for road, values in self.per_s.items()}
        return [
            way_in,
            *(spread(self.per_s[road]) for road in ROADS),
            f"{medians['gateway'] / medians['local']:.2f}",
            f"{medians['gateway'] / medians['handle']:.1f}",
            spread(self.cpu_us, 1),
            spread(self.process_cpu_us, 1),
        ]


def measure(folder: Path, *, rounds: int) -> None:
    """Both ways in, one after the other; the roads take turns within each."""
    rows = [_measure_one(way_in, folder, rounds).row(way_in) for way_in in WAYS_IN]
    write(
        "frames",
        "Frames a second through the gateway",
        f"{STREAMS} streams at once, {rounds} rounds after one that does not count. *Own chunks*: "
        "an ingress replica that makes the chunks itself, one at a time. *Handle*: the same, "
        "pulling them from another deployment with `handle.options(stream=True)`. *Gateway*: "
        "this project, simulated engine without think time in another process. CPU is the "
        "gateway's, per frame passed on: what its own metrics attribute to frames, and all that "
        "the process used.",
        table(
            [
                "way in",
                "own chunks, frames/s",
                "handle, frames/s",
                "gateway, frames/s",
                "gateway ÷ own",
                "gateway ÷ handle",
                "CPU, µs/frame",
                "process CPU, µs/frame",
            ],
            rows,
        ),
        "The gateway can pass its ceiling because frames of one stream that wait together share "
        "a write; the ceiling writes every chunk. Every stream was read to its `[DONE]`.",
    )


def _measure_one(way_in: str, folder: Path, rounds: int) -> Rates:
    rates = Rates()
    document = {"logging_config": QUIET, "applications": [*applications(), ROADS_APP]}
    with serving(document, folder, environment(way_in)) as url:
        for number in range(rounds + 1):
            for road in ROADS:
                _round(url, road, rates if number else Rates())
                print(f"{way_in}, round {number} of {rounds}: {road}", flush=True)
    return rates


def _round(url: str, road: str, rates: Rates) -> None:
    is_ours = road == "gateway"
    query = f"{url}/roads?road={road}&chunks={CHUNKS[road]}"
    request = chat(url, output_tokens=CHUNKS[road]) if is_ours else get(query)
    before = _metrics(url)
    reading = uvloop.run(read(url, request, streams=STREAMS))
    if reading.whole != STREAMS:
        raise RuntimeError(f"{STREAMS - reading.whole} of {STREAMS} streams broke off ({road})")
    rates.per_s[road].append(reading.frames_per_s)
    if is_ours:
        spent = {name: value - before.get(name, 0.0) for name, value in _metrics(url).items()}
        frames = spent["gateway_frames_total"]
        ours = spent['gateway_cpu_seconds_total{part="channel"}']
        ours += spent['gateway_cpu_seconds_total{part="frames"}']
        rates.cpu_us.append(ours / frames * 1e6)
        rates.process_cpu_us.append(spent["process_cpu_seconds_total"] / frames * 1e6)


def _metrics(url: str) -> dict[str, float]:
    """The gateway's counters; the model label, of which there is one, is left out."""
    with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:  # noqa: S310 - ours
        lines = answer.read().decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name.partition("{model=")[0]: float(value) for name, _, value in pairs}
