"""One progress bar for many threads, and the way to stop them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

# Connections of one download; a single one does not fill the line of a GPU machine.
WORKERS = 8


class Stopped(Exception):
    """Another thread failed, or the user pressed Ctrl-C."""


class Meter:
    """Counts bytes of all threads; after `stop()` the next byte of each thread is an error."""

    def __init__(self, bar: "tqdm[Any]") -> None:
        self._bar = bar
        self._is_stopped = False

    def update(self, size_bytes: int) -> None:
        if self._is_stopped:
            raise Stopped
        self._bar.update(size_bytes)

    def stop(self) -> None:
        self._is_stopped = True


@contextmanager
def metered(title: str, total_bytes: int, done_bytes: int = 0) -> Iterator[Meter]:
    """A bar on the terminal for as long as the block runs."""
    with tqdm(desc=title, total=total_bytes, initial=done_bytes, unit="B", unit_scale=True) as bar:
        yield Meter(bar)


def in_parallel(work: Callable[[Item], None], items: Iterable[Item], meter: Meter) -> None:
    """Run `work` on every item; the first error stops all of them and is raised."""
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(work, item) for item in items]
        try:
            for done in as_completed(running):
                done.result()
        except BaseException:
            meter.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
