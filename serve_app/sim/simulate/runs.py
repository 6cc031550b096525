"""Every policy at every load time: one run after the other, or some at once.

The oracle is first, because all policies begin with as many replicas as it does; but for a
fixed fleet, which is what it is from the beginning.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context

from serve_app.sim.scaling import oracle
from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.simulate.played import Played, played
from serve_app.sim.simulate.policies import ORACLE, Policy
from serve_app.sim.simulate.progress import Progress
from serve_app.sim.simulate.question import Question

ORACLE_WINDOW_S = 300.0
Case = tuple[float, Policy, int]  # load time, who decides, and with how many replicas it begins


def run(question: Question, *, jobs: int) -> list[Played]:
    """All of them, by load time and then as they were asked for."""
    progress = Progress(question.traffic.seconds)
    names = [policy.name for policy in question.policies]
    found = list(_oracles(question, progress)) if ORACLE in names else []
    initial = {done.load_s: done.initial for done in found}
    cases = [
        (load_s, policy, initial.get(load_s, question.initial))
        for load_s in question.load_times_s
        for policy in question.policies
        if policy.name != ORACLE
    ]
    found += (
        _apart(question, cases, jobs, progress) if jobs > 1 else _here(question, cases, progress)
    )
    asked = [(load_s, policy) for load_s in question.load_times_s for policy in question.policies]
    return sorted(found, key=lambda done: asked.index((done.load_s, done.policy)))


def _here(question: Question, cases: list[Case], progress: Progress) -> Iterator[Played]:
    for case in cases:
        began_at = time.monotonic()
        done = one(question, case, progress)
        progress.end(done, began_at)
        yield done


def _apart(
    question: Question, cases: list[Case], jobs: int, progress: Progress
) -> Iterator[Played]:
    """In processes; a bar each would be drawn over the others."""
    began_at, hidden = time.monotonic(), Progress(question.traffic.seconds, hidden=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(one, question, case, hidden) for case in cases]):
            progress.end(future.result(), began_at)
            yield future.result()


def one(question: Question, case: Case, progress: Progress) -> Played:
    """One policy at one load time."""
    load_s, policy, initial = case
    scaler = policy.scaler(question.ground)
    if isinstance(scaler, Static):
        initial = min(question.bounds.most, scaler.replicas)
    setup = question.setup(load_s, initial)
    with progress.bar(f"{policy}, load {load_s:g} s") as reached:
        story = play(question.traffic, scaler, setup, on_progress=reached)
    return played(policy, load_s, initial, story)


def _oracles(question: Question, progress: Progress) -> Iterator[Played]:
    """What each window needs is found once; the schedule depends on the load time."""
    arrivals, began_at = list(question.traffic), time.monotonic()
    window_s = min(question.survey.windows[0].seconds, ORACLE_WINDOW_S)
    with progress.bar(f"{ORACLE}: what each window needs") as reached:
        parts, table = oracle.tables(arrivals, question.setup(0.0), window_s, reached)
    for load_s in question.load_times_s:
        setup, target = question.setup(load_s), question.attainment
        plan = oracle.schedule(arrivals, setup, parts=parts, table=table, target=target)
        setup = replace(setup, initial=plan[0][1])
        with progress.bar(f"{ORACLE}, load {load_s:g} s") as reached:
            scaler = oracle.Scheduled(plan, load_s)
            story = play(arrivals, scaler, setup, on_progress=reached)
        done = played(Policy(ORACLE), load_s, setup.initial, story)
        progress.end(done, began_at)
        yield done
