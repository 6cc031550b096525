"""The channels of one gateway to the replicas of one application: opened, kept, renewed.

A replica is of use when its channel is open. One that cannot be connected must not delay
the beat of the others, so connecting goes on beside it.
"""

import asyncio
import logging
from collections.abc import Iterable

from serve_app.channel.gateway_end import Channel, connect
from serve_app.channel.tls import client_context
from serve_app.serving.report import Address, Report

logger = logging.getLogger("ray.serve")

QUICK_S = 0.25  # most connections need a millisecond; slower ones are used from a later beat on


class Channels:
    """Open channels by replica id; `problems` says why others are not."""

    def __init__(self, gateway: str) -> None:
        self.problems: dict[str, str] = {}
        self._gateway = gateway
        self._tls = client_context()
        self._open: dict[str, Channel] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._closed_cpu_s = 0.0

    @property
    def cpu_s(self) -> float:
        """CPU time spent on what replicas have sent."""
        return self._closed_cpu_s + sum(channel.cpu_s for channel in self._open.values())

    def get(self, replica_id: str) -> Channel | None:
        return self._open.get(replica_id)

    async def reach(self, reports: Iterable[Report]) -> list[Report]:
        """Those of `reports` whose replicas can be sent calls; starts connecting the others."""
        self._drop_closed()
        asked = list(reports)
        for report in asked:
            if report.replica not in self._open and report.replica not in self._connecting:
                connecting = asyncio.create_task(self._connect(report.replica, report.channel))
                self._connecting[report.replica] = connecting
        if self._connecting:
            await asyncio.wait(self._connecting.values(), timeout=QUICK_S)
        self.problems = {r.replica: p for r in asked if (p := self.problems.get(r.replica))}
        return [report for report in asked if report.replica in self._open]

    def _drop_closed(self) -> None:
        for replica_id, channel in list(self._open.items()):
            if not channel.is_open:
                self._closed_cpu_s += channel.cpu_s
                del self._open[replica_id]

    async def _connect(self, replica_id: str, address: Address) -> None:
        try:
            self._open[replica_id] = await connect(
                address.host, address.port, address.secret, gateway=self._gateway, tls=self._tls
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
