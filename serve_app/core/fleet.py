"""The replicas as this gateway sees them now: what they last reported, what it has in flight
there, and how many sequences their first tokens allow."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from serve_app.core.concurrency import AdaptiveLimit
from serve_app.core.routing import Replica


@dataclass(slots=True)
class Load:
    """What this gateway runs on a replica: sums over its requests there."""

    requests: int = 0
    sequences: int = 0
    reserved_tokens: int = 0
    prefill_tokens: int = 0


IDLE = Load()


class Fleet:
    """Replicas by id. What runs on one that is no longer known still counts, until it ends."""

    def __init__(self) -> None:
        self._reported: dict[str, Replica] = {}
        self._limits: dict[str, AdaptiveLimit] = {}
        self._loads: dict[str, Load] = {}
        self._snapshots: dict[str, Replica] = {}  # made when asked for, dropped on any change

    def __len__(self) -> int:
        return len(self._reported)

    def __repr__(self) -> str:
        return f"<Fleet of {len(self)}, {sum(load.requests for load in self.loads.values())} run>"

    @property
    def loads(self) -> Mapping[str, Load]:
        """What this gateway runs, by replica."""
        return self._loads

    def replicas(self) -> list[Replica]:
        return [self.replica(replica_id) for replica_id in self._reported]

    def replica(self, replica_id: str) -> Replica:
        """As of now: with what this gateway runs there counted."""
        snapshot = self._snapshots.get(replica_id)
        if snapshot is None:
            snapshot = self._snapshots[replica_id] = self._snapshot(self._reported[replica_id])
        return snapshot

    def observe(self, replicas: Iterable[Replica], *, ttft_target_s: float) -> None:
        for replica in replicas:
            self._reported[replica.id] = replica
            self._snapshots.pop(replica.id, None)
            if replica.id not in self._limits:
                self._limits[replica.id] = AdaptiveLimit(ttft_target_s)
            self._limits[replica.id].target_s = ttft_target_s

    def retain(self, replica_ids: AbstractSet[str]) -> None:
        self._reported = {i: r for i, r in self._reported.items() if i in replica_ids}
        self._limits = {i: limit for i, limit in self._limits.items() if i in replica_ids}
        self._snapshots.clear()

    def lose(self, replica_id: str) -> None:
        self._reported.pop(replica_id, None)
        self._snapshots.pop(replica_id, None)

    def count(self, replica_id: str, more: Load, *, sign: int = 1) -> None:
        """So much more runs there; so much less, with a `sign` of -1."""
        load = self._loads.get(replica_id)
        if load is None:
            load = self._loads[replica_id] = Load()
        load.requests += sign * more.requests
        load.sequences += sign * more.sequences
        load.reserved_tokens += sign * more.reserved_tokens
        load.prefill_tokens += sign * more.prefill_tokens
        if not load.requests:
            del self._loads[replica_id]
        self._snapshots.pop(replica_id, None)

    def heard_first_token(
        self, replica_id: str, ttft_s: float, *, prompt_tokens: int, now: float
    ) -> None:
        """What a replica's limit learns from. One that is not known has none."""
        if replica_id in self._reported:
            running = self._loads.get(replica_id, IDLE).sequences
            limit = self._limits[replica_id]
            limit.observe(ttft_s, prompt_tokens=prompt_tokens, running=running, now=now)
            self._snapshots.pop(replica_id, None)

    def prefilled(self, replica_id: str, ttft_s: float, *, uncached_tokens: int) -> None:
        """How fast a replica reads prompts, for the same limit."""
        if replica_id in self._limits:
            self._limits[replica_id].prefilled(ttft_s, uncached_tokens=uncached_tokens)

    def _snapshot(self, reported: Replica) -> Replica:
        load = self._loads.get(reported.id, IDLE)
        limit = self._limits[reported.id].limit
        own = reported.slots - reported.running
        return reported._replace(
            # The limit is this gateway's, of what it runs itself: were it of all, a gateway beside
            # a busier one would see no room, hear no first token, and never find out otherwise.
            slots=reported.slots if limit >= own else reported.running + int(limit),
            fits=reported.slots,
            mine=load.sequences,
            running=reported.running + load.sequences,
            reserved_tokens=reported.reserved_tokens + load.reserved_tokens,
            prefill_tokens=load.prefill_tokens,
        )
