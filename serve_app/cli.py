"""`serve-app`: what an operator types beside `serve` and `ray`.

Exit status: 0 is well, 1 is a problem with what was asked about, 2 is a problem with the
question.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from serve_app import reference
from serve_app.bench import options
from serve_app.checking.problem import nearest
from serve_app.keys import command as keys
from serve_app.planning import options as planning
from serve_app.sim.simulate import options as simulate
from serve_app.wait import wait

COMMANDS = ("bench", "check", "keys", "models", "plan", "reference", "simulate", "wait")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, or raises `SystemExit` with it for wrong usage."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        parser.error(f"there is no command {words[0]}{nearest(words[0], COMMANDS)}")
    chosen = parser.parse_args(words)
    return int(chosen.run(chosen))


class _Version(argparse.Action):
    """Looked up when it is asked for: a PYTHONPATH has commands, and no package to ask."""

    def __call__(self, *_: object) -> None:
        print(version("serve-app"))
        raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("serve-app", description="Serve models on your own GPUs.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print it, and exit")
    commands = parser.add_subparsers(required=True, metavar="{" + ",".join(COMMANDS) + "}")

    bench = commands.add_parser("bench", help=options.SUMMARY, usage=options.USAGE)
    options.add_to(bench)
    bench.set_defaults(run=_bench)

    check = commands.add_parser("check", help="say what is wrong with a Serve YAML")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(run=_check)

    keys.add_to(commands.add_parser("keys", help="make, list and revoke API keys"))

    models = commands.add_parser("models", help="get models").add_subparsers(required=True)
    fetch = models.add_parser("fetch", help="get a model into the cache, or into a folder")
    fetch.add_argument("name", metavar="NAME", help="a name, a Hugging Face id, or a folder")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="folder to put it into")
    fetch.set_defaults(run=_fetch)
    spread = models.add_parser("prefetch", help="get a model onto every node of the Ray cluster")
    spread.add_argument("name", metavar="NAME", help="a name or a Hugging Face id")
    spread.add_argument("--to", metavar="DIR", help="the cache folder of every node")
    spread.add_argument("--all-nodes", action="store_true", help="also those without a GPU")
    spread.add_argument("--verify", action="store_true", help="hash what is there already")
    spread.set_defaults(run=_prefetch)

    plan = commands.add_parser("plan", help=planning.SUMMARY, usage=planning.USAGE)
    planning.add_to(plan)
    plan.set_defaults(run=_plan)

    knobs = commands.add_parser("reference", help=f"write {reference.FILE}")
    knobs.add_argument("--check", action="store_true", help="only say whether it is current")
    knobs.set_defaults(run=_reference)

    replay = commands.add_parser("simulate", help=simulate.SUMMARY, usage=simulate.USAGE)
    simulate.add_to(replay)
    replay.set_defaults(run=_simulate)

    ready = commands.add_parser("wait", help="wait until a gateway can answer")
    ready.add_argument("--url", default="http://127.0.0.1:8000")
    ready.add_argument("--timeout-s", type=float, default=600.0, metavar="SECONDS")
    ready.set_defaults(run=_wait)
    return parser


def _bench(chosen: argparse.Namespace) -> int:
    from serve_app.bench.command import run  # noqa: PLC0415 - imports what reads traces and prices

    return run(chosen)


def _check(chosen: argparse.Namespace) -> int:
    from serve_app.checking.file import check_file  # noqa: PLC0415 - imports Ray

    sys.path.insert(0, str(Path.cwd()))  # as `serve run` does, for what the file imports
    problems = [problem for file in chosen.files for problem in check_file(file)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _fetch(chosen: argparse.Namespace) -> int:
    from serve_app.models import fetch  # noqa: PLC0415 - imports what talks to model hubs

    return fetch(chosen.name, to=chosen.to)


def _prefetch(chosen: argparse.Namespace) -> int:
    from serve_app.prefetch.run import prefetch  # noqa: PLC0415 - imports Ray

    return prefetch(chosen.name, to=chosen.to, all_nodes=chosen.all_nodes, verify=chosen.verify)


def _plan(chosen: argparse.Namespace) -> int:
    from serve_app.planning.command import run  # noqa: PLC0415 - imports what checks YAMLs

    return run(chosen)


def _reference(chosen: argparse.Namespace) -> int:
    return reference.check() if chosen.check else reference.write()


def _simulate(chosen: argparse.Namespace) -> int:
    from serve_app.sim.simulate.command import simulate as run  # noqa: PLC0415 - imports Ray

    sys.path.insert(0, str(Path.cwd()))  # as `serve run` does, for what the file imports
    return run(chosen)


def _wait(chosen: argparse.Namespace) -> int:
    return wait(chosen.url, timeout_s=chosen.timeout_s)
