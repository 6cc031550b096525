"""The words of `serve-app simulate`; values are read in `question`, each error one line."""

import argparse
from pathlib import Path

SUMMARY = "replay a trace against a deployment's autoscaling"
USAGE = "serve-app simulate FILE --trace PATH --format servegen|mooncake|azure [options]"
POLICIES = "queue-depth,serve-default,hpa-queue,llm-d,static-peak,oracle"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Define the options of `serve-app simulate`."""
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="a Serve YAML of this project"
    )
    _add_traffic(parser)
    _add_engine(parser)
    _add_who(parser)
    _add_how(parser)


def _add_traffic(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say("--trace", type=Path, metavar="PATH", help="recorded traffic")
    say("--format", metavar="NAME", help="servegen (a folder), mooncake or azure")
    say("--speed-up", default="1", metavar="X", help="play the trace so many times as fast")
    say("--from-hour", default="0", metavar="H", help="begin there (default: 0)")
    say("--hours", metavar="H", help="play so many hours of it (default: all)")
    say("--seed", type=int, default=0, metavar="N", help="of arrivals that are drawn (default: 0)")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say("--model", metavar="APPLICATION", help="which engine, where the file has several")
    say("--calibration", type=Path, metavar="FILE", help="rates that serve-app bench has measured")
    say(
        "--check",
        type=Path,
        metavar="FILE",
        help="instead: how far off a calibration's rates are for the loads measured with it",
    )
    say("--on", metavar="HARDWARE", help="take the rates of the deployment's plan for it")
    say("--fleet", metavar="N", help="slow replicas until the busiest window needs about N")
    say("--max-replicas", metavar="N", help="default: the file's, or 2 × --fleet if that is more")


def _add_who(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say("--policy", default=POLICIES, metavar="NAME,…", help=f"NAME[=TARGET] (default: {POLICIES})")
    say("--sweep", action="store_true", help="each policy over its own target, for a curve")
    say("--load-time", default="30,120,300", metavar="S,…", help="from order to first request")
    say(
        "--slo",
        default="",
        metavar="ttft=2s,…",
        help="ttft=, tpot=, with unit; a TTFT gets twice "
        "the request's own prefill on top; TPOT is twice the unloaded by default",
    )
    say("--attainment", default="0.99", metavar="SHARE", help="the oracle's target (default: 0.99)")


def _add_how(parser: argparse.ArgumentParser) -> None:
    say = parser.add_argument
    say("--jobs", type=int, default=1, metavar="N", help="processes, the oracle's too (default: 1)")
    say("--json", action="store_true", help="everything, for programs, to stdout")
    say("--report", type=Path, metavar="FILE.html", help="tables and plots in one file")
