"""One request, as a replica of a replay sees it."""

from dataclasses import dataclass, field

from serve_app.core.request import Request
from serve_app.sim.traffic import Arrival


@dataclass(slots=True, eq=False)
class Job:
    """A prompt and its answer on a replica. `expected_tokens` is what was set aside for it."""

    id: str
    prompt_tokens: int
    output_tokens: int
    expected_tokens: int
    blocks: tuple[int, ...] = ()
    unread: int = field(default=0, init=False)  # prompt tokens without KV
    cached: int = field(default=0, init=False)  # prompt tokens found in the prefix cache
    shared: tuple[int, ...] = field(default=(), init=False)  # prefix blocks in use
    own: int = field(default=0, init=False)  # tokens of KV outside them, when its prompt was read
    produced: int = field(default=0, init=False)  # tokens, up to the step `since`
    since: int = field(default=0, init=False)
    joined: int = field(default=0, init=False)  # the step after which its prompt was read
    turn: int = field(default=0, init=False)  # counts preemptions, so that old milestones die

    def read(self, most: int) -> int:
        """So much of its prompt is read in a step that has place for `most`."""
        taken = min(most, self.unread)
        self.unread -= taken
        return taken


@dataclass(slots=True)
class Ongoing:
    """A request that waits or runs; `index` is its place in the story."""

    request: Request
    arrival: Arrival
    index: int
    started_at: float = 0.0
    first_at: float = 0.0
