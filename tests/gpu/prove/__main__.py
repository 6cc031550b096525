"""`python -m tests.gpu.prove STAGE …`: what it does is in tests/gpu/README.md."""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.gpu.prove.documents import MODES
from tests.gpu.prove.processes import Sessions, sweep
from tests.gpu.prove.results import Results
from tests.gpu.prove.run import STEPS, Run
from tests.gpu.prove.serving import cluster_environment
from tests.gpu.prove.stages import STAGES

NAMES = {"H200": "H200", "H100 80GB": "H100-80", "B200": "B200", "A100-SXM4-80": "A100-80"}


def main() -> int:
    chosen = _options()
    if chosen.sweep:
        print("processes that were left:", sweep(chosen.sweep))
        return 0
    # The way out of `timeout` is the way out of Ctrl-C, with all its `finally`s.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="prove-"))
    hardware = chosen.hardware or ("H200" if chosen.cpu else _gpu())
    results = Results(chosen.out, hardware=hardware, mode=chosen.mode, cpu=chosen.cpu)
    sessions = Sessions(folder, cluster_environment(folder))
    run = Run(
        folder=folder,
        out=chosen.out,
        tokenizer=chosen.tokenizer,
        hardware=hardware,
        cpu=chosen.cpu,
        mode=chosen.mode,
        layers=chosen.layers,
        limit_s=chosen.limit_s,
        skipped=tuple(chosen.skip),
        results=results,
        sessions=sessions,
    )
    try:
        for name in chosen.stages:
            _stage(run, name)
    except KeyboardInterrupt:
        return 1
    return 0


def _stage(run: Run, name: str) -> None:
    try:
        STAGES[name](run)
    except (Exception, KeyboardInterrupt) as error:
        run.results.failed(name, error)
        if isinstance(error, KeyboardInterrupt):
            raise
    finally:
        run.sessions.end()
        run.results.add(f"{name} is over", seconds=run.results.seconds)


def _gpu() -> str:
    said = subprocess.check_output(["nvidia-smi", "-L"], text=True)
    found = [name for words, name in NAMES.items() if words in said]
    if not found:
        raise SystemExit(f"no figures for this GPU, say --hardware: {said}")
    return found[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.gpu.prove")
    say = parser.add_argument
    say("stages", nargs="*", choices=[[], *STAGES], help="in this order")
    say("--out", type=Path, default=Path("prove-out"), help="of results and logs")
    say("--tokenizer", type=Path, help="a folder with SmolLM2's tokenizer")
    say("--layers", type=int, default=10, help="of DeepSeek's 61")
    say("--mode", choices=MODES, default="graphs")
    say("--limit-s", type=float, default=570.0, help="of all stages together")
    say("--hardware", help="as in serve-app plan --on, of one GPU: H200, H100-80")
    say("--skip", nargs="+", default=[], choices=STEPS, help="steps of the stages")
    say("--cpu", action="store_true", help="small models on a CPU, to try the script")
    say("--folder", type=Path, help="for logs and sockets; a short path")
    say("--sweep", type=Path, metavar="FOLDER", help="only: end what a run left there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
