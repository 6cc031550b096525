"""What vLLM leaves in a process that outlives it."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def vllm_process() -> Iterator[pytest.MonkeyPatch]:
    """For an environment of its own; what `front_end` sets for a whole process is undone."""
    from vllm import envs

    young, *older = gc.get_threshold()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_V1_OUTPUT_PROC_CHUNK_SIZE", "")
        patch.delenv("VLLM_V1_OUTPUT_PROC_CHUNK_SIZE")
        yield patch
    envs.disable_envs_cache()
    gc.set_threshold(young, *older)
