"""61 layers on eight GPUs from two numbers of layers on two: what each layer more took.

    python -m tests.gpu.prove.slope 6=a/results.jsonl 10=b/results.jsonl --on 8xH200

A layer on eight GPUs takes its bound there, times what one took on two over its bound there. What
three dense layers, the head and the engine's own time between steps take is what was measured.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from serve_app.core.layout import Candidate, Layout
from serve_app.core.step import decode_step, prefill_step
from serve_app.planning.hardware import hardware_of
from tests.gpu.prove import models, plan
from tests.gpu.prove.documents import load, vllm_of

DENSE_LAYERS, ALL_LAYERS = 3, 61
CHUNK = 8192

Found = dict[str, float]  # by what was measured: seconds of a step, or of a prompt token


@dataclass(frozen=True)
class Run:
    """What one number of layers took."""

    layers: int
    hardware: str  # of one GPU
    found: Found


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.gpu.prove.slope")
    parser.add_argument("runs", nargs=2, metavar="LAYERS=FILE", help="results.jsonl of each")
    parser.add_argument("--on", default="8xH200", help="as in serve-app plan")
    chosen = parser.parse_args()
    less, more = sorted(map(_run, chosen.runs), key=lambda run: run.layers)
    for what in [name for name in less.found if name in more.found]:
        print(f"{what}: {_extrapolated(what, less, more, chosen.on)}")


def _extrapolated(what: str, less: Run, more: Run, on: str) -> str:
    count = more.layers - less.layers
    layer_s = (more.found[what] - less.found[what]) / count
    pair = [_candidate(run.layers, f"2x{run.hardware}") for run in (less, more)]
    here_s = (_bound_s(what, pair[1]) - _bound_s(what, pair[0])) / count
    if layer_s < here_s:
        return "a layer took less than its bound, so something else set the pace"
    there_s = (_bound_s(what, _on(pair[1], on)) - _bound_s(what, _on(pair[0], on))) / count
    rest_s = less.found[what] - (less.layers - DENSE_LAYERS) * layer_s
    whole_s = rest_s + (ALL_LAYERS - DENSE_LAYERS) * layer_s * there_s / here_s
    bound_s = _bound_s(what, _on(_candidate(ALL_LAYERS, f"2x{less.hardware}"), on))
    return (
        f"a layer {1e3 * layer_s:.4g} ms, {here_s / layer_s:.2f} of its bound; "
        f"61 on {on}: {1e3 * whole_s:.4g} ms, {bound_s / whole_s:.2f} of the bound"
    )


def _run(words: str) -> Run:
    layers, _, file = words.partition("=")
    records = [json.loads(line) for line in Path(file).read_text().splitlines()]
    found = {r["what"]: r["measured"] for r in records if "measured" in r}
    steps = {what: ms / 1e3 for what, ms in found.items() if what.startswith("decode step")}
    prefill = {what: 1 / rate for what, rate in found.items() if what.startswith("prefill")}
    return Run(int(layers), records[0]["hardware"], steps | prefill)


def _candidate(layers: int, hardware: str) -> Candidate:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(models.deepseek(layers)))
        return plan.candidate(folder, vllm_of(load("deepseek-tp2")), hardware)


def _on(candidate: Candidate, hardware: str) -> Candidate:
    return replace(candidate, layout=Layout(8), hardware=hardware_of(hardware))


def _bound_s(what: str, candidate: Candidate) -> float:
    """Of "decode step, 8 × 112 tokens, ms", or of "prefill of 4096 tokens, tokens/s"."""
    numbers = [int(word) for word in what.replace(",", " ").split() if word.isdecimal()]
    if what.startswith("prefill"):
        return prefill_step(candidate, CHUNK, numbers[0] / 2).seconds / CHUNK
    return decode_step(candidate, *numbers).seconds


if __name__ == "__main__":
    main()
