"""Which points of which policies nobody beats: as many in time for as little."""

from collections.abc import Iterable, Iterator, Sequence

from serve_app.sim.simulate.played import Played
from serve_app.sim.simulate.policies import ORACLE


def better(done: Played, runs: Iterable[Played]) -> Played | None:
    """The cheapest point of another policy at its load time that has at least as many in time
    for at most as much, and not both the same; None if there is none. No oracle counts."""
    others = (run for run in runs if run.load_s == done.load_s and run.policy.name != ORACLE)
    found = [run for run in others if run.policy.name != done.policy.name and _beats(run, done)]
    return min(found, key=lambda run: run.measures.replica_hours, default=None)


def _beats(run: Played, done: Played) -> bool:
    ours, theirs = run.measures, done.measures
    more = ours.attainment - theirs.attainment
    less = theirs.replica_hours - ours.replica_hours
    return more >= 0 and less >= 0 and (more > 0 or less > 0)


def verdicts(runs: Sequence[Played]) -> Iterator[str]:
    """A line for each policy of one load time."""
    for name in dict.fromkeys(run.policy.name for run in runs if run.policy.name != ORACLE):
        points = [run for run in runs if run.policy.name == name]
        default = next(run for run in points if run.policy.target is None)
        yield f"{_verdict(default, runs)}; {_of_all(points, runs)}"


def _verdict(default: Played, runs: Sequence[Played]) -> str:
    best = better(default, runs)
    if best is None:
        said = "no point of another policy has as much attainment for as little"
    else:
        found = best.measures
        said = (
            f"dominated by {best.policy}, {found.attainment:.2%} for "
            f"{found.replica_hours:.2f} replica-hours"
        )
    return f"{default.policy.name} at its default: {said}"


def _of_all(points: Sequence[Played], runs: Sequence[Played]) -> str:
    beaten = sum(better(point, runs) is not None for point in points)
    return f"{beaten} of its {len(points)} points are dominated"
