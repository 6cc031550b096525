"""What vLLM's schedulers say after each step, kept for whoever asks."""

import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any

from serve_app.core.pace import Pace

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Rank:
    """The latest step of one data rank: each has a scheduler and a KV cache of its own."""

    stepped_at: float
    waiting: int
    running: int
    kv_usage: float


NEW = _Rank(stepped_at=-math.inf, waiting=0, running=0, kv_usage=0.0)


@dataclass(slots=True)
class StepWatch:
    """Latest numbers of all schedulers of an engine. vLLM calls `record` after every step; if it
    raised, the engine would die, so it swallows whatever a new vLLM might surprise it with."""

    ranks: int = 1
    pace: Pace = field(default_factory=Pace)
    _heard_at: float = field(default_factory=time.monotonic)
    _latest: dict[int, _Rank] = field(default_factory=dict)
    _queried_tokens: int = 0
    _hit_tokens: int = 0

    def __call__(self, _config: Any, engine_index: int) -> Any:
        """vLLM asks a factory for a logger per rank; one watch serves all of them."""
        from vllm.v1.metrics.loggers import StatLoggerBase  # noqa: PLC0415 - see the module head

        watch = self

        class Logger(StatLoggerBase):
            def __init__(self) -> None: ...

            def record(
                self, scheduler_stats: Any, iteration_stats: Any, *_: Any, **__: Any
            ) -> None:
                watch.record(scheduler_stats, iteration_stats, rank=engine_index)

            def log_engine_initialized(self) -> None: ...

        return Logger()

    def record(self, stats: Any, iteration: Any = None, *, rank: int = 0) -> None:
        self._heard_at = time.monotonic()
        if stats is None:
            return
        try:
            if iteration is not None:
                self._note_pace(stats, iteration, self._latest.get(rank, NEW))
            self._latest[rank] = _Rank(
                stepped_at=self._heard_at,
                waiting=int(stats.num_waiting_reqs) + int(stats.num_skipped_waiting_reqs),
                running=int(stats.num_running_reqs),
                kv_usage=float(stats.kv_cache_usage),
            )
            self._queried_tokens += int(stats.prefix_cache_stats.queries)
            self._hit_tokens += int(stats.prefix_cache_stats.hits)
        except (AttributeError, TypeError, ValueError):
            logger.exception("vLLM's scheduler stats changed shape; load is unknown")

    def _note_pace(self, stats: Any, iteration: Any, before: _Rank) -> None:
        """Whoever runs and got no token has a prompt that is not read to its end."""
        gaps, ttfts_s = iteration.inter_token_latencies_iter, iteration.time_to_first_tokens_iter
        is_reading = bool(ttfts_s) or int(stats.num_running_reqs) > len(gaps)
        took_s = self._heard_at - before.stepped_at
        if not before.running:  # it began when somebody came, and not when it last stepped
            took_s = min(took_s, max(ttfts_s, default=0.0))
        self.pace.stepped(
            decoded=int(iteration.num_generation_tokens) - len(ttfts_s),
            decoding_s=float(sum(gaps)),
            reading_s=took_s / self.ranks if is_reading else 0.0,
            now=self._heard_at,
        )
        for answer in iteration.finished_requests:
            if answer.num_generation_tokens > 1:
                tpot_s = float(answer.mean_time_per_output_token)
                self.pace.answers.ended(tpot_s, now=self._heard_at)

    @property
    def stepped_at(self) -> float:
        """The last step of the rank that is furthest behind, of those that have work."""
        busy = [rank.stepped_at for rank in self._latest.values() if rank.waiting or rank.running]
        return min(busy, default=self._heard_at)

    @property
    def waiting(self) -> int:
        return sum(rank.waiting for rank in self._latest.values())

    @property
    def running(self) -> int:
        return sum(rank.running for rank in self._latest.values())

    @property
    def kv_usage(self) -> float:
        """Of all caches together, which are equally large."""
        return sum(rank.kv_usage for rank in self._latest.values()) / self.ranks

    @property
    def prefix_hit_rate(self) -> float:
        return self._hit_tokens / self._queried_tokens if self._queried_tokens else 0.0
