"""The words of `serve-app plan`."""

import argparse
import re
from pathlib import Path

from serve_app.planning.objectives import Objectives

SUMMARY = "say which GPUs hold a model, how, and how fast it would be"
USAGE = "serve-app plan MODEL --on HARDWARE [options]"
_TIME = re.compile(r"(ttft|tpot)=(\d+(?:\.\d+)?)(ms|s)")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of `serve-app plan`."""
    say = parser.add_argument
    say(
        "model",
        metavar="MODEL",
        help="a Hugging Face id, such as deepseek-ai/DeepSeek-V3; a name "
        "or folder that `models fetch` takes",
    )
    say(
        "--on",
        required=True,
        metavar="HARDWARE",
        help="8xH200, 2x8xH100-80, or cluster: what `ray status` has",
    )
    say(
        "--context",
        type=_count,
        metavar="N",
        help="longest sequence; default: the model's, up to 65536",
    )
    say(
        "--concurrency",
        type=_count,
        metavar="N",
        help="requests at once, of all replicas; default: as many as meet the objectives",
    )
    say("--input-tokens", type=_count, default=1536, metavar="N", help="typical (default: 1536)")
    say("--output-tokens", type=_count, default=512, metavar="N", help="typical (default: 512)")
    say(
        "--slo",
        type=_objectives,
        default=Objectives(),
        metavar="ttft=2s,tpot=80ms",
        help="what is good enough (the default: MLPerf's for DeepSeek-R1)",
    )
    say(
        "--mtp",
        action="store_true",
        help="with speculative decoding by the model's own MTP layer, one token ahead",
    )
    say("--json", action="store_true", help="print everything, for programs")
    say("--write", type=Path, metavar="FILE", help="write the best as a Serve YAML")


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0")
    return int(text)


def _objectives(text: str) -> Objectives:
    found = {}
    for part in text.split(","):
        match = _TIME.fullmatch(part.strip())
        if match is None or float(match[2]) == 0:
            raise argparse.ArgumentTypeError(f"{part}: write ttft=2s,tpot=80ms, each with its unit")
        found[f"{match[1]}_s"] = float(match[2]) / (1000 if match[3] == "ms" else 1)
    return Objectives(**found)
