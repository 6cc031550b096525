"""What vLLM's scheduler says after each step, kept for whoever asks."""

import logging
import time
from typing import Any

logger = logging.getLogger(__name__)


class StepWatch:
    """Latest scheduler numbers. vLLM calls `record` after every step; if it raised,
    the engine would die, so it swallows whatever a new vLLM might surprise it with."""

    def __init__(self) -> None:
        self.stepped_at = time.monotonic()
        self.waiting = 0
        self.running = 0
        self.kv_usage = 0.0
        self._queried_tokens = 0
        self._hit_tokens = 0

    def __call__(self, _config: Any, _engine_index: int) -> Any:
        """vLLM asks a factory for its logger; one watch serves all engine ranks."""
        from vllm.v1.metrics.loggers import StatLoggerBase  # noqa: PLC0415 - see the module head

        watch = self

        class Logger(StatLoggerBase):
            def __init__(self) -> None: ...

            def record(self, scheduler_stats: Any, *_: Any, **__: Any) -> None:
                watch.record(scheduler_stats)

            def log_engine_initialized(self) -> None: ...

        return Logger()

    def record(self, stats: Any) -> None:
        self.stepped_at = time.monotonic()
        if stats is None:
            return
        try:
            self.running = int(stats.num_running_reqs)
            self.waiting = int(stats.num_waiting_reqs) + int(stats.num_skipped_waiting_reqs)
            self.kv_usage = float(stats.kv_cache_usage)
            self._queried_tokens += int(stats.prefix_cache_stats.queries)
            self._hit_tokens += int(stats.prefix_cache_stats.hits)
        except (AttributeError, TypeError, ValueError):
            logger.exception("vLLM's scheduler stats changed shape; load is unknown")

    @property
    def prefix_hit_rate(self) -> float:
        return self._hit_tokens / self._queried_tokens if self._queried_tokens else 0.0
