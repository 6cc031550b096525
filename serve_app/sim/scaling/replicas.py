"""The replicas of a replay: loading, ready, draining; what they cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from serve_app.config import EngineTunables
from serve_app.core.concurrency import slots, typical
from serve_app.core.routing import Replica as Report
from serve_app.core.routing import prefill_most
from serve_app.sim.clock import Clock
from serve_app.sim.scaling.engine import Hears, Replica
from serve_app.sim.scaling.fleet import Rates
from serve_app.sim.scaling.meter import Meter


@dataclass(slots=True, eq=False)
class Member:
    """One replica from its order to its end."""

    engine: Replica
    ready_at: float
    typical_tokens: float
    slots: int
    hears_gateway: bool = False
    meter: Meter = field(default_factory=Meter)


class Replicas:
    """`order` so many, and they come `load_s` later; what is too much drains and goes.

    Serve stops those that still load first, and of the others the newest.
    """

    def __init__(
        self, rates: Rates, load_s: float, tunables: EngineTunables, clock: Clock, hears: Hears
    ) -> None:
        self.loading: dict[str, Member] = {}
        self.ready: dict[str, Member] = {}
        self.draining: dict[str, Member] = {}
        self._rates = rates
        self._load_s = load_s
        self._tunables = tunables
        self._clock = clock
        self._hears = hears
        self._made = 0
        self._paid_s = 0.0
        self._paid_at = 0.0

    def __repr__(self) -> str:
        return f"<{len(self.ready)} ready, {len(self.loading)} load, {len(self.draining)} drain>"

    @property
    def ordered(self) -> int:
        return len(self.ready) + len(self.loading)

    @property
    def held(self) -> int:
        return self.ordered + len(self.draining)

    @property
    def paid_s(self) -> float:
        """Replica-seconds up to now."""
        self._pay()
        return self._paid_s

    def running(self) -> int:
        return sum(m.engine.running + len(m.engine.waiting) for m in self._serving())

    def order(self, wanted: int, *, load_s: float | None = None) -> None:
        """Let there be `wanted`, loading ones included."""
        self._pay()
        load_s = self._load_s if load_s is None else load_s
        for _ in range(wanted - self.ordered):
            self._start(load_s)
        for _ in range(self.ordered - wanted):
            self._stop()
        self.settle()

    def settle(self) -> None:
        """Take in who has loaded, let go who has drained."""
        self._pay()
        now = self._clock.now
        for name in [name for name, member in self.loading.items() if member.ready_at <= now]:
            self.ready[name] = self.loading.pop(name)
        for name in [name for name, member in self.draining.items() if member.engine.is_idle]:
            del self.draining[name]

    def hear(self) -> None:
        """A gateway's beat reaches all that serve; from then on they know what waits there."""
        for member in self.ready.values():
            member.hears_gateway = True

    def reports(self, carries: float) -> Iterator[Report]:
        """What each tells its gateway on a beat; each is taken to carry so many sequences in
        time."""
        for name, member in self.ready.items():
            yield Report(
                name,
                slots=member.slots,
                running=0,
                seen_at=self._clock.now,
                kv_tokens=self._rates.kv_tokens,
                prefill_most=prefill_most(
                    self._rates.chunk_tokens, steps_ahead=self._rates.steps_ahead
                ),
                kv_usage=member.engine.kv_usage,
                carries=carries,
            )

    def slots(self, typical_tokens: float | None = None) -> int:
        """Of a replica whose sequences are of so many tokens; None is what is expected."""
        tunables = self._tunables
        return slots(
            kv_tokens=self._rates.kv_tokens,
            max_num_seqs=self._rates.max_num_seqs,
            max_model_len=self._rates.kv_tokens,
            expected_tokens=typical_tokens or float(tunables.expected_tokens),
            overcommit=tunables.overcommit,
        )

    def sends(self, name: str, expected_tokens: int) -> Replica:
        """The engine that a call goes to."""
        member = self.ready[name]
        member.typical_tokens = typical(member.typical_tokens, expected_tokens, 1)
        member.slots = self.slots(member.typical_tokens)
        return member.engine

    def _serving(self) -> Iterator[Member]:
        yield from self.ready.values()
        yield from self.draining.values()

    def _start(self, load_s: float) -> None:
        self._made += 1
        name = f"r{self._made:06}"
        engine = Replica(name, self._rates, self._clock, self._hears)
        ready_at = self._clock.now + load_s
        tokens = float(self._tunables.expected_tokens)
        self.loading[name] = Member(engine, ready_at, tokens, self.slots(tokens))
        self._clock.at(ready_at, self.settle)

    def _stop(self) -> None:
        if self.loading:
            self.loading.popitem()
        else:
            name, member = self.ready.popitem()
            self.draining[name] = member

    def _pay(self) -> None:
        now = self._clock.now
        self._paid_s += self.held * (now - self._paid_at)
        self._paid_at = now
