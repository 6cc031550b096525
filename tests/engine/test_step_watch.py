"""What a watch makes of the steps of several data ranks."""

import time
from types import SimpleNamespace

import pytest

from serve_app.engine.step_watch import StepWatch


def test_a_rank_that_reads_is_its_part_of_an_engine() -> None:
    """One of two read a prompt for 2 of the last 5 s, while the other one idled."""
    watch = StepWatch(ranks=2)
    cache = SimpleNamespace(queries=0, hits=0)
    stats = SimpleNamespace(
        num_running_reqs=1,
        num_waiting_reqs=0,
        num_skipped_waiting_reqs=0,
        kv_cache_usage=0.5,
        prefix_cache_stats=cache,
    )
    step = SimpleNamespace(
        inter_token_latencies_iter=[],
        time_to_first_tokens_iter=[2.0],
        num_generation_tokens=1,
        finished_requests=[],
    )
    watch.record(stats, step, rank=1)

    assert watch.pace.reading(now=time.monotonic()) == pytest.approx(0.2)
    assert (watch.running, watch.kv_usage) == (1, 0.25)
