"""What it takes to answer a question, piece by piece: in this process, or in several at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from serve_app.sim.simulate.progress import Progress
from serve_app.sim.simulate.question import Question

Piece = TypeVar("Piece")
Done = TypeVar("Done")
Reached = Callable[[float], None]  # hears which second of the piece has come
Work = Callable[[Question, Piece, Reached], Done]  # of a module, so that a process finds it


@contextmanager
def working(question: Question, jobs: int, progress: Progress) -> Iterator["Workers"]:
    """`jobs` processes until the end of the block; with one job, none but this."""
    pool = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else None
    try:
        yield Workers(question, pool, progress)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


class Workers:
    """Who work at one question."""

    def __init__(
        self, question: Question, pool: ProcessPoolExecutor | None, progress: Progress
    ) -> None:
        self._question = question
        self._pool = pool
        self._progress = progress

    def each(
        self, work: Work[Piece, Done], pieces: Sequence[Piece], title: str, *, seconds: float
    ) -> Iterator[tuple[Piece, Done]]:
        """Every piece with what came of it, as they are done; each is of so many seconds."""
        with self._progress.bar(title, seconds * len(pieces)) as reached:
            here = self._here(work, pieces, seconds, reached)
            done = self._apart(work, pieces, self._pool) if self._pool else here
            for number, result in enumerate(done, 1):
                reached(number * seconds)
                yield result

    def _here(
        self, work: Work[Piece, Done], pieces: Sequence[Piece], seconds: float, reached: Reached
    ) -> Iterator[tuple[Piece, Done]]:
        for number, piece in enumerate(pieces):
            yield piece, work(self._question, piece, _from(number * seconds, reached))

    def _apart(
        self, work: Work[Piece, Done], pieces: Sequence[Piece], pool: ProcessPoolExecutor
    ) -> Iterator[tuple[Piece, Done]]:
        waiting = {pool.submit(work, self._question, p, _nothing): p for p in pieces}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _from(begin_s: float, reached: Reached) -> Reached:
    return lambda at_s: reached(begin_s + at_s)


def _nothing(_: float) -> None:
    """A bar of each process would be drawn over the others."""
