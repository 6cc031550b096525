"""vLLM's Ray executor on the CPU platform: the ranks of one engine on several nodes, no GPU.

vLLM takes a placement group apart by its GPUs, and refuses Ray on CPU. So nothing that
spreads an engine over nodes could be shown by a test or tried on a laptop. Topology,
message queues and the watch over dead ranks are vLLM's own (0.32); replaced is what takes
GPUs, or one machine, for granted:

* a bundle with a CPU is one for a rank: give {CPU: 1} per rank;
* a rank takes nothing of its bundle, since the replica sits in the first one with it;
* a rank has no device ids;
* ranks speak TCP.

Loaded by `distributed_executor_backend: serve_app.engine.cpu_ray_executor.CpuRayExecutor`
in `args.vllm`, and then only in the processes of that engine.
"""

from typing import Any

import ray
import torch
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator
from vllm.platforms import current_platform
from vllm.v1.executor import ray_executor_v2

from serve_app.engine.ray_executor import ReplicaExecutor


class TcpCommunicator(CpuCommunicator):
    """vLLM takes shared memory for ranks that were all told one address to meet at. Ray's
    ranks always are, and on another machine there is no such memory to open."""

    def _all_group_ranks_share_shm_group_name(self) -> bool:
        return False

    def all_gatherv(self, input_: Any, dim: int = 0, sizes: list[int] | None = None) -> Any:
        """The rows of every rank, which may have different numbers of them."""
        if isinstance(input_, list):
            return [self.all_gatherv(one, dim, sizes) for one in input_]
        if sizes is None:
            return self.all_gather(input_, dim)
        # Gloo gathers equal sizes only.
        padded = input_.new_zeros((max(sizes), *input_.shape[1:]))
        padded[: input_.shape[0]] = input_
        parts = self.all_gather(padded, 0).split(max(sizes))
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def reduce_scatterv(
        self, input_: torch.Tensor, dim: int = 0, sizes: list[int] | None = None
    ) -> torch.Tensor:
        """The sum over all ranks, of the rows that are this rank's."""
        assert dim == 0, "vLLM scatters tokens, which are rows"
        summed = self.all_reduce(input_.contiguous().clone())
        rows = sizes or [input_.shape[0] // self.world_size] * self.world_size
        return summed.split(rows)[self.rank_in_group].contiguous()


class CpuRayWorkerProc(ray_executor_v2.RayWorkerProc):
    """One rank, as a Ray actor."""

    def get_node_and_physical_gpu_ids(self) -> tuple[str, list[int]]:
        return ray.get_runtime_context().get_node_id(), []

    def initialize_worker(self, *args: Any, **options: Any) -> None:
        communicator = f"{__name__}.{TcpCommunicator.__name__}"
        type(current_platform).get_device_communicator_cls = lambda _: communicator
        super().initialize_worker(*args, **options)


class CpuRayExecutor(ReplicaExecutor):
    """All ranks of one engine, in the placement group of its replica."""

    @staticmethod
    def _get_actor_resource_kwargs() -> dict[str, Any]:
        return {}

    def _init_executor(self) -> None:
        # The inherited code reads both as globals.
        ray_executor_v2.RayWorkerProc = CpuRayWorkerProc
        type(current_platform).ray_device_key = "CPU"
        super()._init_executor()
