"""Every policy at every load time.

The oracle is first, because all policies begin with as many replicas as it does; but for a
fixed fleet, which is what it is from the beginning.
"""

from serve_app.sim.scaling.replay import play
from serve_app.sim.scaling.rivals import Static
from serve_app.sim.simulate.oracles import oracles
from serve_app.sim.simulate.played import Played, played
from serve_app.sim.simulate.policies import ORACLE, Policy
from serve_app.sim.simulate.progress import Progress
from serve_app.sim.simulate.question import Question
from serve_app.sim.simulate.workers import Reached, Workers, working

Case = tuple[float, Policy, int]  # load time, who decides, and with how many replicas it begins


def run(question: Question, *, jobs: int) -> list[Played]:
    """All of them, by load time and then as they were asked for."""
    progress = Progress()
    with working(question, jobs, progress) as workers:
        asks_oracle = Policy(ORACLE) in question.policies
        found = oracles(question, workers, progress) if asks_oracle else []
        found += _policies(
            question, {done.load_s: done.initial for done in found}, workers, progress
        )
    asked = [(load_s, policy) for load_s in question.load_times_s for policy in question.policies]
    return sorted(found, key=lambda done: asked.index((done.load_s, done.policy)))


def _policies(
    question: Question, initial: dict[float, int], workers: Workers, progress: Progress
) -> list[Played]:
    cases = [
        (load_s, policy, initial.get(load_s, question.initial))
        for load_s in question.load_times_s
        for policy in question.policies
        if policy.name != ORACLE
    ]
    found = []
    for _, done in workers.each(one, cases, "policies", seconds=question.traffic.seconds):
        progress.end(done)
        found.append(done)
    return found


def one(question: Question, case: Case, reached: Reached) -> Played:
    """One policy at one load time."""
    load_s, policy, initial = case
    scaler = policy.scaler(question.ground)
    if isinstance(scaler, Static):
        initial = min(question.bounds.most, scaler.replicas)
    setup = question.setup(load_s, initial)
    story = play(question.traffic, scaler, setup, on_progress=reached)
    return played(policy, load_s, initial, story)
