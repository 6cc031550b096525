"""Serve's routing hook: send a call to the replica that the gateway has already chosen.

The dispatcher decides where a request runs, since it alone knows the queue, the slots and
who runs what. It names the replica in the call's `to`; Serve's handle then carries the
call there and keeps its accounts: cancellation, draining, what is in flight.
"""

from typing import Any

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica


class ToChosenReplica(RequestRouter):
    """Ranks the named replica first. If it is gone any other may answer: a replica that
    is being drained should not fail a request that no replica has seen yet."""

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        chosen: Any = pending_request.kwargs.get("to") if pending_request else None
        named = [r for r in candidate_replicas if r.replica_id.unique_id == chosen]
        return [named or candidate_replicas]
