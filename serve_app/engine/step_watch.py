"""What vLLM's scheduler says after each step, kept for whoever asks."""

import logging
import time
from typing import Any

from serve_app.core.pace import Pace

logger = logging.getLogger(__name__)


class StepWatch:
    """Latest scheduler numbers. vLLM calls `record` after every step; if it raised,
    the engine would die, so it swallows whatever a new vLLM might surprise it with."""

    def __init__(self) -> None:
        self.stepped_at = time.monotonic()
        self.waiting = 0
        self.running = 0
        self.kv_usage = 0.0
        self.pace = Pace()
        self._queried_tokens = 0
        self._hit_tokens = 0

    def __call__(self, _config: Any, _engine_index: int) -> Any:
        """vLLM asks a factory for its logger; one watch serves all engine ranks."""
        from vllm.v1.metrics.loggers import StatLoggerBase  # noqa: PLC0415 - see the module head

        watch = self

        class Logger(StatLoggerBase):
            def __init__(self) -> None: ...

            def record(
                self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any
            ) -> None:
                watch.record(scheduler_stats, iteration_stats)

            def log_engine_initialized(self) -> None: ...

        return Logger()

    def record(self, stats: Any, iteration: Any = None) -> None:
        before, self.stepped_at = self.stepped_at, time.monotonic()
        if stats is None:
            return
        try:
            if iteration is not None:
                self._note_pace(stats, iteration, self.stepped_at - before)
            self.running = int(stats.num_running_reqs)
            self.waiting = int(stats.num_waiting_reqs) + int(stats.num_skipped_waiting_reqs)
            self.kv_usage = float(stats.kv_cache_usage)
            self._queried_tokens += int(stats.prefix_cache_stats.queries)
            self._hit_tokens += int(stats.prefix_cache_stats.hits)
        except (AttributeError, TypeError, ValueError):
            logger.exception("vLLM's scheduler stats changed shape; load is unknown")

    def _note_pace(self, stats: Any, iteration: Any, took_s: float) -> None:
        """Whoever runs and got no token has a prompt that is not read to its end."""
        gaps, ttfts_s = iteration.inter_token_latencies_iter, iteration.time_to_first_tokens_iter
        is_reading = bool(ttfts_s) or int(stats.num_running_reqs) > len(gaps)
        if not self.running:  # it began when somebody came, and not when it last stepped
            took_s = min(took_s, max(ttfts_s, default=0.0))
        self.pace.stepped(
            decoded=int(iteration.num_generation_tokens) - len(ttfts_s),
            decoding_s=float(sum(gaps)),
            reading_s=took_s if is_reading else 0.0,
            now=self.stepped_at,
        )

    @property
    def prefix_hit_rate(self) -> float:
        return self._hit_tokens / self._queried_tokens if self._queried_tokens else 0.0
