"""The words of `serve-app bench`. Values are read in `command`, so that every error is one line."""

import argparse
from pathlib import Path

SUMMARY = "measure endpoints side by side"
USAGE = "serve-app bench --target NAME=URL [--target NAME=URL …] [options]"
_KINDS = "random, shared-prefix, chat, or trace:FILE"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Define the options of `serve-app bench`."""
    _add_what(parser)
    _add_how_much(parser)
    _add_report(parser)
    _add_calibration(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say(
        "--target",
        action="append",
        required=True,
        metavar="NAME=URL",
        help="an OpenAI endpoint; again for each one to compare, ratios are to the first. After "
        "commas: model=…, api-key-env=VARIABLE, price-input=, price-output=, price-hour=",
    )
    say("--model", default="", help="default: the first that the first target lists")
    say("--endpoint", choices=("completions", "chat"), help="default: chat for --workload chat")
    say("--workload", default="random", metavar="KIND", help=f"{_KINDS} (default: random)")
    say("--input-tokens", type=int, metavar="N", help="of each request's own (default: 256)")
    say("--output-tokens", type=int, metavar="N", help="asked for and enforced (default: 64)")
    say("--prefix-tokens", type=int, metavar="N", help="shared; 512, or 64 in chat")
    say("--tokenizer", metavar="DIR|ID", help="use only words that are one token in it")
    say("--no-ignore-eos", action="store_true", help="for APIs that refuse the field")
    say("--extra-body", default="{}", metavar="JSON", help="further fields; null leaves one out")


def _add_how_much(parser: argparse.ArgumentParser) -> None:
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--concurrency", metavar="N,…", help="requests in flight (default: 1,8,32)")
    load.add_argument("--rate", metavar="R,…", help="requests per second, Poisson")
    load.add_argument("--speed-up", metavar="X,…", help="of a trace's own arrivals (default: 1)")
    say = parser.add_argument
    say("--rounds", type=int, default=5, metavar="N", help="default: 5")
    say("--requests", type=int, metavar="N", help="per measurement; default: 4 × concurrency, ≥ 16")
    say("--warm-up", type=int, metavar="N", help="uncounted, before each; default: concurrency")
    say("--seed", type=int, default=0, metavar="N", help="of prompts and arrivals (default: 0)")
    say("--timeout-s", type=float, default=600.0, metavar="S", help="of one request (default: 600)")


def _add_report(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say("--slo", default="", metavar="ttft=200ms,…", help="goodput: ttft=, tpot=, e2e=, with unit")
    say("--price", default="", metavar="input=…,…", help="$ per million tokens, or hour=$ per hour")
    say("--json", metavar="FILE", help="everything, for programs; - is stdout, and only it then")
    say("--report", type=Path, metavar="FILE.html", help="tables and plots in one file")


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="instead: measure the rates of the one target's engine for serve-app simulate; "
        "lengths are drawn around --input-tokens and --output-tokens",
    )
    say("--kv-tokens", type=int, metavar="N", help="where the target's /metrics do not say")
    say("--max-num-seqs", type=int, metavar="N", help="the same")
    say("--max-num-batched-tokens", type=int, metavar="N", help="the same")
    say(
        "--steps-ahead",
        type=int,
        choices=(0, 1),
        help="the same: 1 where vLLM says at its start that asynchronous scheduling is enabled",
    )
