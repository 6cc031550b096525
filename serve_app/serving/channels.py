"""The channels of one gateway to the replicas of one application: opened, kept, renewed.

A replica is of use when its channel is open. One that cannot be connected must not delay
the others, so connecting goes on beside everything else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from serve_app.channel.gateway_end import Channel, connect
from serve_app.channel.tls import client_context
from serve_app.channel.wire import Report
from serve_app.errors import ReplicaLost

logger = logging.getLogger("ray.serve")

QUICK_S = 0.25  # most connections need a millisecond; slower ones are used when they are there


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica's channel listens, and the secret that opens it."""

    host: str
    port: int
    secret: bytes = field(repr=False)


class Channels:
    """Open channels by replica id; `problems` says why others are not."""

    def __init__(self, gateway: str, *, spend: Callable[[float], None]) -> None:
        self.problems: dict[str, str] = {}
        self._gateway = gateway
        self._spend = spend
        self._tls = client_context()
        self._open: dict[str, Channel] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}

    @property
    def open(self) -> AbstractSet[str]:
        """Replicas that can be sent calls; also those that are leaving service."""
        self._drop_closed()
        return self._open.keys()

    def get(self, replica_id: str) -> Channel | None:
        return self._open.get(replica_id)

    async def reach(self, addresses: Mapping[str, Address]) -> None:
        """Connect to those of `addresses` that have no open channel."""
        for replica_id in addresses.keys() - self.open - self._connecting.keys():
            connecting = self._connect(replica_id, addresses[replica_id])
            self._connecting[replica_id] = asyncio.create_task(connecting)
        if self._connecting:
            await asyncio.wait(self._connecting.values(), timeout=QUICK_S)
        self.problems = {name: p for name, p in self.problems.items() if name in addresses}

    async def beat(
        self,
        waiting: tuple[int, ...],
        waiting_tokens: int,
        arriving_tokens_per_s: float = 0.0,
        *,
        timeout_s: float,
    ) -> list[Report]:
        """Tell every replica our depth, hear its load; the silent ones are left out."""
        said = (waiting, waiting_tokens, arriving_tokens_per_s)
        asked = [_answer(self._open[i].beat(*said), timeout_s) for i in self.open]
        return [report for report in await asyncio.gather(*asked) if report is not None]

    def _drop_closed(self) -> None:
        for replica_id in [i for i, channel in self._open.items() if not channel.is_open]:
            del self._open[replica_id]

    async def _connect(self, replica_id: str, address: Address) -> None:
        try:
            self._open[replica_id] = await connect(
                address.host,
                address.port,
                address.secret,
                gateway=self._gateway,
                spend=self._spend,
                tls=self._tls,
            )
            self.problems.pop(replica_id, None)
        except OSError as error:
            reason = str(error) or type(error).__name__
            problem = f"its channel {address.host}:{address.port} cannot be opened: {reason}"
            if self.problems.get(replica_id) != problem:
                logger.warning("replica %s: %s", replica_id, problem)
            self.problems[replica_id] = problem
        finally:
            del self._connecting[replica_id]


async def _answer(beat: Awaitable[Report], timeout_s: float) -> Report | None:
    try:
        async with asyncio.timeout(timeout_s):
            return await beat
    except (TimeoutError, ReplicaLost):
        return None
