"""Real vLLM behind the gateway, beside the same vLLM behind its own server, same arguments."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
import yaml

from serve_app.bench.here.cluster import environment, free_port, process, serving, wait_for
from serve_app.bench.here.page import median, spread, table, write
from serve_app.bench.here.reader import chat, read
from serve_app.models import resolve

SERVER = "vllm.entrypoints.launchers.api_server.entry"
TARGETS = ("bare vLLM", "gateway")
ALONE = 20
COLUMNS = ("target", "streams", "tokens/s", "÷ bare", "tokens/event", "TTFT p50, ms", "added, ms")
WHY_FASTER = (
    "The gateway can pass vLLM's own server where vLLM's front end is the limit, and not the "
    "engine: the front end in our replica puts a step through in one go and merges steps that "
    "wait (`serve_app/engine/front_end.py`). An event then carries several tokens."
)


@dataclass
class Numbers:
    """One target at one concurrency, a value per round."""

    tokens_per_s: list[float] = field(default_factory=list)
    ttft_ms: list[float] = field(default_factory=list)
    tokens_per_event: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.tokens_per_s[-1]:.1f} tokens/s, TTFT {self.ttft_ms[-1]:.1f} ms"


@dataclass(frozen=True)
class Question:
    """What is asked of both: a Serve YAML with one vLLM engine, streams at once, tokens each."""

    file: Path
    streams: Sequence[int]
    output_tokens: int
    way_in: str
    page: str = "bare"

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = yaml.safe_load(self.file.read_text())
        return document

    @property
    def engine(self) -> dict[str, Any]:
        """The application that holds vLLM."""
        applications = self.document["applications"]
        return next(a for a in applications if a["args"].get("kind") == "vllm")

    @property
    def model(self) -> str:
        name: str = self.engine["args"]["names"][0]
        return name


def measure(folder: Path, question: Question, *, rounds: int) -> None:
    """Both servers stay up for all rounds; each is idle while the other one is measured."""
    numbers = {(name, c): Numbers() for c in question.streams for name in TARGETS}
    with _targets(folder, question) as urls:
        for number in range(rounds + 1):
            for streams in question.streams:
                for name, url in urls.items():
                    noted = numbers[name, streams] if number else Numbers()
                    _round(url, question, streams, noted)
                    asked = f"{name}, {streams} streams"
                    print(f"round {number} of {rounds}: {asked}: {noted}", flush=True)
    write(
        question.page,
        "Beside bare vLLM",
        f"`{question.file}` ({question.way_in}) and vLLM's own server with the same arguments, "
        f"{rounds} rounds after one that does not count, {question.output_tokens} tokens per "
        f"answer. TTFT is the median of {ALONE} answers of one token, one after the other.",
        table(
            COLUMNS,
            [_row(name, streams, numbers) for streams in question.streams for name in TARGETS],
        ),
        WHY_FASTER,
        command=_command() if question.page != "bare" else None,
    )


def _command() -> str:
    return f"python -m serve_app.bench.here {shlex.join(sys.argv[1:])}"


def _row(name: str, streams: int, numbers: Mapping[tuple[str, int], Numbers]) -> list[str]:
    mine, bare = numbers[name, streams], numbers["bare vLLM", streams]
    ratios = [a / b for a, b in zip(mine.tokens_per_s, bare.tokens_per_s, strict=True)]
    added = [a - b for a, b in zip(mine.ttft_ms, bare.ttft_ms, strict=True)]
    return [
        name,
        str(streams),
        spread(mine.tokens_per_s, 1),
        spread(ratios, 3),
        spread(mine.tokens_per_event, 2),
        spread(mine.ttft_ms, 1),
        spread(added, 1),
    ]


def _round(url: str, question: Question, streams: int, numbers: Numbers) -> None:
    model, tokens = question.model, question.output_tokens
    many, one = (chat(url, output_tokens=count, model=model) for count in (tokens, 1))

    async def both() -> None:
        reading = await read(url, many, streams=streams)
        if reading.whole != streams:
            raise RuntimeError(f"answers of {url} broke off")
        numbers.tokens_per_s.append(streams * tokens / reading.seconds)
        numbers.tokens_per_event.append(streams * tokens / reading.frames)
        alone = [(await read(url, one, streams=1)).ttft_s for _ in range(ALONE)]
        numbers.ttft_ms.append(median(alone) * 1e3)

    uvloop.run(both())


@contextmanager
def _targets(folder: Path, question: Question) -> Iterator[dict[str, str]]:
    port, args = free_port(), question.engine["args"]
    command = [sys.executable, "-m", SERVER, "--port", str(port), "--host", "127.0.0.1"]
    command += ["--model", str(resolve(args["model"])), "--served-model-name", question.model]
    command += _flags(args["vllm"])
    bare = f"http://127.0.0.1:{port}"
    with process(command, folder / "vllm.log", env=_environment(question.engine)) as running:
        # One after the other: on a GPU the second finds what the first has compiled, and neither
        # sees the other take memory while it measures its own.
        wait_for(bare + "/health", running)
        with serving(question.document, folder, environment(question.way_in)) as gateway:
            yield {"bare vLLM": bare, "gateway": gateway}


def _environment(engine: Mapping[str, Any]) -> dict[str, str]:
    """What the engine has in its replica: the YAML's variables, and a thread per CPU of it."""
    options = engine["deployments"][0].get("ray_actor_options", {})
    given = options.get("runtime_env", {}).get("env_vars", {})
    threads = str(max(1, int(options.get("num_cpus", 1))))
    return {**os.environ, "OMP_NUM_THREADS": threads, **given}


def _flags(vllm: Mapping[str, Any]) -> list[str]:
    """A YAML's `vllm` block as vLLM's own command line."""
    flags = []
    for name, value in vllm.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            flags.append(flag)
        elif value is False:
            flags.append("--no-" + name.replace("_", "-"))
        elif isinstance(value, list):
            flags += [flag, *map(str, value)]
        elif isinstance(value, dict):
            flags += [flag, json.dumps(value)]
        else:
            flags += [flag, str(value)]
    return flags
