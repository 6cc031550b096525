"""`python -m serve_app.bench.here`: run the comparisons and write docs/bench."""

import argparse
import tempfile
from pathlib import Path

from serve_app.bench.here import bare, flood, frames, peers, slow

COMPARISONS = ("frames", "peers", "bare", "flood", "slow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", choices=COMPARISONS, default=COMPARISONS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--router", default="vllm-router", help="the executable to compare with")
    parser.add_argument("--file", type=Path, default=Path("deployments/local.yaml"))
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--output-tokens", type=int, default=64)
    parser.add_argument("--way-in", choices=("proxy", "haproxy"), default="proxy")
    parser.add_argument("--page", default="bare", help="docs/bench/PAGE.md, for another --file")
    asked = parser.parse_args()
    question = bare.Question(
        asked.file, asked.streams, asked.output_tokens, asked.way_in, asked.page
    )
    with tempfile.TemporaryDirectory(prefix="serve-app-bench-") as folder:
        if "frames" in asked.only:
            frames.measure(Path(folder), rounds=asked.rounds)
        if "peers" in asked.only:
            peers.measure(Path(folder), rounds=asked.rounds, router=asked.router)
        if "bare" in asked.only:
            bare.measure(Path(folder), question, rounds=asked.rounds)
        if "flood" in asked.only:
            flood.measure(Path(folder), rounds=asked.rounds)
        if "slow" in asked.only:
            slow.measure(Path(folder), rounds=asked.rounds)


if __name__ == "__main__":
    main()
