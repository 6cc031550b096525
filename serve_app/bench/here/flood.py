"""A light tenant beside one that floods, on real vLLM: what each first token waits for."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
import yaml

from serve_app.bench.here.cluster import environment, serving
from serve_app.bench.here.page import median, spread, table, write
from serve_app.bench.here.reader import chat, read
from serve_app.keys.record import new_key, record_of
from serve_app.keys.store import as_yaml

FILE = Path("deployments/local.yaml")
MODEL = "smollm2-135m-instruct"
STREAMS = 64  # of the flood, at all times: four times what runs at once
FLOOD_TOKENS = range(16, 81)  # of different length, or all would end and begin in the same step
LIGHT_TOKENS = 8
ALONE, BESIDE, AMONG = "alone", "beside the flood", "in the flood's tenant"
ASKS = {ALONE: 8, BESIDE: 8, AMONG: 2}  # light requests in a round


@dataclass
class Situation:
    """Times to first token of the light requests, in seconds: one median and maximum a round."""

    p50_s: list[float] = field(default_factory=list)
    worst_s: list[float] = field(default_factory=list)


def measure(folder: Path, *, rounds: int) -> None:
    """All situations take turns, against one gateway."""
    situations = {name: Situation() for name in ASKS}
    keys = {tenant: new_key() for tenant in ("light", "flood")}
    file = folder / "keys.yaml"
    file.write_text(as_yaml([record_of(key, tenant=tenant) for tenant, key in keys.items()]))
    document = yaml.safe_load(FILE.read_text())
    config = document["applications"][1]["deployments"][0].setdefault("user_config", {})
    config["auth"] = {"keys_file": str(file)}
    with serving(document, folder, environment("proxy"), key=keys["light"]) as url:
        for number in range(rounds + 1):
            for name, situation in situations.items():
                times = uvloop.run(_situation(url, name, keys))
                if number:
                    situation.p50_s.append(median(times))
                    situation.worst_s.append(max(times))
                print(f"round {number} of {rounds}: {name}: {median(times):.2f} s", flush=True)
    _write(situations, rounds)


async def _situation(url: str, name: str, keys: dict[str, str]) -> list[float]:
    light = chat(
        url,
        output_tokens=LIGHT_TOKENS,
        model=MODEL,
        key=keys["flood" if name == AMONG else "light"],
    )
    flooding = asyncio.create_task(_flood(url, keys["flood"])) if name != ALONE else None
    if flooding is not None:
        await asyncio.sleep(5)  # until it has filled the engine and waits
    times = [(await read(url, light, streams=1)).ttft_s for _ in range(ASKS[name])]
    if flooding is not None:
        flooding.cancel()
        await asyncio.wait([flooding])
    return times


async def _flood(url: str, key: str) -> None:
    """So many streams at all times, each followed by the next one."""
    dice = random.Random(7)  # noqa: S311 - no secret

    async def again_and_again() -> None:
        while True:
            tokens = dice.choice(FLOOD_TOKENS)
            await read(url, chat(url, output_tokens=tokens, model=MODEL, key=key), streams=1)

    await asyncio.gather(*(again_and_again() for _ in range(STREAMS)))


def _write(situations: dict[str, Situation], rounds: int) -> None:
    alone = situations[ALONE]
    rows = [
        [name, spread(it.p50_s, 2), spread(it.worst_s, 2), spread(_ratios(it, alone), 1)]
        for name, it in situations.items()
    ]
    write(
        "flood",
        "A light tenant beside a flood",
        f"`{FILE}` with two tenants of equal weight, {rounds} rounds after one that does not "
        f"count. The flood keeps {STREAMS} streams of {FLOOD_TOKENS[0]} to {FLOOD_TOKENS[-1]} "
        f"tokens open, four times what the engine runs; the light one asks {ASKS[BESIDE]} times a "
        f"round, one after the other, for {LIGHT_TOKENS} tokens. *In the flood's tenant* is the "
        "same request with a key of the flood: what first come, first served would be.",
        table(["light requests", "TTFT p50, s", "worst TTFT, s", "p50 ÷ alone"], rows),
    )


def _ratios(it: Situation, alone: Situation) -> Sequence[float]:
    return [a / b for a, b in zip(it.p50_s, alone.p50_s, strict=True)]
