"""Several data ranks of one engine in the placement group of one replica.

vLLM has two ways to start data ranks. With `data_parallel_backend: ray` it makes placement
groups of its own, beside the replica's: Serve and the autoscaler would not know of the GPUs in
them. With `mp` every rank has its scheduler in a process beside the front end, and an executor
of its own. Those executors all take the first bundles of the placement group that they find.
`DataRankExecutor` takes the bundles of its rank instead, so that

    bundles, sorted by node, the replica's first = ranks × (tensor × pipeline) GPUs

and all of it is one engine, in one replica, in one placement group. See decision 0010.
"""

import os
from typing import Any

import ray
from vllm.v1.executor import Executor, ray_executor_v2, ray_utils


class DataRankExecutor(ray_executor_v2.RayExecutorV2):
    """The workers of one data rank."""

    def _init_executor(self) -> None:
        ray_utils.initialize_ray_cluster(self.parallel_config, require_gpu_on_driver=False)
        rank, size = self.parallel_config.data_parallel_index, self.parallel_config.world_size
        bundles = ray_utils.get_bundles_sorted_by_node(self.parallel_config.placement_group)
        own = bundles[rank * size : (rank + 1) * size]
        # Read by the inherited code; this process has no other rank.
        os.environ["VLLM_RAY_BUNDLE_INDICES"] = ",".join(str(index) for index, *_ in own)
        super()._init_executor()


def executor_of(config: Any) -> type[Executor]:
    """The executor that `config` names; of several data ranks, one that shares the bundles.

    It also lets the ranks meet here, where the first one is: vLLM says 127.0.0.1, which on
    another node is that node.
    """
    named = Executor.get_class(config)
    if config.parallel_config.data_parallel_size == 1 or not named.uses_ray:
        return named
    config.parallel_config.data_parallel_master_ip = ray.util.get_node_ip_address()
    return DataRankExecutor if named is ray_executor_v2.RayExecutorV2 else named
