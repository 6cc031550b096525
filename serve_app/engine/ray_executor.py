"""vLLM's Ray executor inside one replica: its part of the placement group, and its end.

vLLM has two ways to start data ranks. With `data_parallel_backend: ray` it makes placement
groups of its own, beside the replica's: Serve and the autoscaler would not know of the GPUs in
them. With `mp` every rank has its scheduler in a process beside the front end, and an executor
of its own. Those executors all take the first bundles of the placement group that they find.
`ReplicaExecutor` takes the bundles of its rank instead, so that

    bundles, sorted by node, the replica's first = ranks × (tensor × pipeline) GPUs

and all of it is one engine, in one replica, in one placement group. See decision 0010.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import ray
from vllm.v1.executor import Executor, ray_executor_v2, ray_utils

logger = logging.getLogger(__name__)

LAST_WORDS_S = 2.0  # for a scheduler that is not in a step: it says itself that it ends


class ReplicaExecutor(ray_executor_v2.RayExecutorV2):
    """The workers of one scheduler, which is the only one in its process."""

    def _init_executor(self) -> None:
        ray_utils.initialize_ray_cluster(self.parallel_config, require_gpu_on_driver=False)
        rank, size = self.parallel_config.data_parallel_index, self.parallel_config.world_size
        bundles = ray_utils.get_bundles_sorted_by_node(self.parallel_config.placement_group)
        own = bundles[rank * size : (rank + 1) * size]
        # Read by the inherited code; this process has no other rank.
        os.environ["VLLM_RAY_BUNDLE_INDICES"] = ",".join(str(index) for index, *_ in own)
        super()._init_executor()

    def register_failure_callback(self, callback: Callable[[], None]) -> None:
        """vLLM sees a worker die, and tells the scheduler by its queue (0.32). One that waits
        for that worker's answer from another node reads no queue, and its engine would look
        alive until it is found hung. So the process ends, which the front end sees at once."""

        def fail() -> None:
            callback()
            end = threading.Timer(LAST_WORDS_S, _end)
            end.daemon = True  # who ends by itself does not wait
            end.start()

        super().register_failure_callback(fail)


def _end() -> None:
    logger.error("a worker has died in the middle of a step: the engine ends")
    os._exit(1)


def executor_of(config: Any) -> type[Executor]:
    """The executor that `config` names; where that is vLLM's Ray executor, ours.

    It also lets data ranks meet here, where the first one is: vLLM says 127.0.0.1, which on
    another node is that node.
    """
    named = Executor.get_class(config)
    if not named.uses_ray:
        return named
    if config.parallel_config.data_parallel_size > 1:
        config.parallel_config.data_parallel_master_ip = ray.util.get_node_ip_address()
    return ReplicaExecutor if named is ray_executor_v2.RayExecutorV2 else named
