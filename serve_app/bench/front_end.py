"""What vLLM's front end costs in a replica, with an engine core that does no work.

    python -m serve_app.bench.front_end --streams 1,8,64,256

Two replicas take turns, round by round: `plain` is vLLM's front end as vLLM sets it up,
`tuned` is what we serve (engine/front_end.py). Flat out, the core is `--ahead` steps before
its readers: with 1 each token is a frame of its own, with more the front end may merge. With
`--step-ms` the core keeps that tempo, which shows what a client sees: the lag from a step to
the frame that carries its tokens.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection

from serve_app.bench.idle_core import IdleCoreEngine
from serve_app.bench.machine import machine, versions
from serve_app.config import EngineArgs
from serve_app.engine import front_end
from serve_app.engine.protocol import Call, Frame
from serve_app.engine.vllm import JSON_HEADERS
from serve_app.models import resolve

MODEL = "smollm2-135m-instruct"
VARIANTS = ("plain", "tuned")
TOKENS = 25_600  # of one round, over all streams
SHORTEST, LONGEST = 100, 1000  # of one stream
PACED_S = 4.0  # how long a round at a given tempo takes
ROUTES = {"chat": "/v1/chat/completions", "completions": "/v1/completions"}
VLLM = {
    "dtype": "float32",
    "kv_cache_memory_bytes": 1 << 29,
    "max_model_len": 2048,
    "max_num_seqs": 1024,
    "enforce_eager": True,
    "enable_auto_tool_choice": True,
    "tool_call_parser": "hermes",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One round at one number of streams; `step_s` 0 is flat out."""

    streams: int
    route: str = "chat"
    step_s: float = 0.0
    ahead: int = 1

    @property
    def tokens(self) -> int:
        """Of each stream."""
        wanted = int(PACED_S / self.step_s) if self.step_s else TOKENS // self.streams
        return max(SHORTEST, min(LONGEST, wanted))


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round cost, from the first frame with tokens on. Lags are from step to frame."""

    tokens_per_s: float
    cpu_us_per_token: float
    frames_per_token: float
    first_lag_ms: float
    lag_p50_ms: float
    lag_p99_ms: float


Rounds = list[dict[tuple[Plan, str], Sample]]


class Round:
    """Reads all streams of one plan, as a replica does."""

    def __init__(self, engine: IdleCoreEngine, plan: Plan) -> None:
        self._engine, self._plan = engine, plan
        self._tokens = self._frames = 0
        self._began: tuple[float, float, int] | None = None
        self._firsts: list[float] = []
        self._lags: list[float] = []

    async def run(self) -> Sample:
        plan, tempo = self._plan, self._engine.tempo
        allowed = plan.tokens if plan.step_s else plan.ahead
        tempo.begin(plan.streams, allowed=allowed, step_s=plan.step_s)
        await asyncio.gather(*map(self._read, range(plan.streams)))
        assert self._began is not None
        cpu_s, began_s, before = self._began
        tokens = self._tokens - before
        return Sample(
            tokens_per_s=tokens / (time.monotonic() - began_s),
            cpu_us_per_token=(time.process_time() - cpu_s) / tokens * 1e6,
            frames_per_token=self._frames / self._tokens,
            first_lag_ms=statistics.median(self._firsts) * 1e3,
            lag_p50_ms=statistics.median(self._lags) * 1e3,
            lag_p99_ms=statistics.quantiles(self._lags, n=100)[98] * 1e3,
        )

    async def _read(self, stream: int) -> None:
        read = 0
        async for item in self._engine.generate(_call(self._plan, stream)):
            if isinstance(item, Frame) and item.token_ids:
                read += len(item.token_ids)
                self._note(len(item.token_ids), read)

    def _note(self, tokens: int, read: int) -> None:
        """`tokens` came in a frame; its stream has `read` of them now."""
        now, tempo = time.monotonic(), self._engine.tempo
        self._tokens += tokens
        self._frames += 1
        if self._began is None:
            self._began = (time.process_time(), now, self._tokens)
        (self._lags if read > tokens else self._firsts).append(now - tempo.made_at(read - 1))
        if not self._plan.step_s:
            tempo.allow(self._tokens // self._plan.streams + self._plan.ahead)


def _call(plan: Plan, stream: int) -> Call:
    asked = "How do tokens become text?"
    prompt = {"messages": [{"role": "user", "content": asked}]}
    said = prompt if plan.route == "chat" else {"prompt": asked}
    body = {"model": MODEL, "stream": True, "max_tokens": plan.tokens, **said}
    return Call(f"s{stream}", ROUTES[plan.route], json.dumps(body).encode(), headers=JSON_HEADERS)


class Replica:
    """A process with a front end of one kind."""

    def __init__(self, variant: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._plans, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(variant, theirs))
        self._process.start()
        theirs.close()  # so that a replica that dies ends the measurement

    def measure(self, plan: Plan) -> Sample:
        self._plans.send(plan)
        sample: Sample = self._plans.recv()
        return sample

    def stop(self) -> None:
        self._plans.send(None)
        self._process.join()


def _serve(variant: str, plans: Connection) -> None:
    import uvloop  # noqa: PLC0415 - as in Ray's replicas; comes with them

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    if variant == "plain":
        # Only a comparison wants this off, so the product has no switch for it.
        for setting in ("merge_when_behind", "strip_middleware", "settle"):
            setattr(front_end, setting, lambda *_: None)
    uvloop.run(_measure(plans))


async def _measure(plans: Connection) -> None:
    args = EngineArgs(kind="vllm", model=MODEL, names=(MODEL,), vllm=VLLM, warm_up=False)
    engine = IdleCoreEngine(args, model_path=str(resolve(MODEL)))
    await engine.start()
    await Round(engine, Plan(8)).run()
    gc.collect()
    gc.freeze()  # as Serve does once a replica has started
    while (plan := plans.recv()) is not None:
        plans.send(await Round(engine, plan).run())
    await engine.shutdown()


def main() -> None:
    """Measure, and print a table."""
    asked = _parser().parse_args()
    plans = [
        Plan(streams, asked.route, asked.step_ms / 1e3, asked.ahead) for streams in asked.streams
    ]
    replicas = {variant: Replica(variant) for variant in VARIANTS}
    rounds = [
        {(plan, variant): replicas[variant].measure(plan) for plan in plans for variant in VARIANTS}
        for _ in range(asked.rounds)
    ]
    for replica in replicas.values():
        replica.stop()
    print("\n".join(_report(plans, rounds)))


def _report(plans: list[Plan], rounds: Rounds) -> Iterator[str]:
    here = machine()
    yield f"{here['cpu']}, {here['cores']} cores; {versions()}; medians of {len(rounds)} rounds"
    yield f"{'streams':>7} {'':6} " + " ".join(f"{name:>16}" for name in Sample.__slots__)
    for plan in plans:
        for variant in VARIANTS:
            samples = [asdict(found[plan, variant]) for found in rounds]
            medians = (statistics.median(each[name] for each in samples) for name in samples[0])
            row = " ".join(f"{median:16.2f}" for median in medians)
            yield f"{plan.streams:7} {variant:6} {row}"
        yield f"{'':7} tuned ÷ plain {_ratios(plan, rounds)}"


def _ratios(plan: Plan, rounds: Rounds) -> str:
    """Of each number, the median of the rounds' ratios."""
    pairs = [(asdict(found[plan, "plain"]), asdict(found[plan, "tuned"])) for found in rounds]
    names = ("tokens_per_s", "cpu_us_per_token")
    medians = {
        name: statistics.median(new[name] / old[name] for old, new in pairs) for name in names
    }
    return ", ".join(f"{name}: {ratio:.2f}" for name, ratio in medians.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    numbers = lambda said: [int(number) for number in said.split(",")]  # noqa: E731
    parser.add_argument("--streams", type=numbers, default=[1, 8, 64, 256])
    parser.add_argument("--route", choices=tuple(ROUTES), default="chat")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ahead", type=int, default=8, help="steps before the readers")
    parser.add_argument("--step-ms", type=float, default=0.0, help="open loop; 0 is flat out")
    return parser


if __name__ == "__main__":
    main()
