"""CPU time of one piece of asynchronous work, without what others do while it waits."""

import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Metered(Generic[T]):
    """Awaits `work`; tells `spend` the CPU seconds of each of its steps between two awaits."""

    def __init__(self, work: Coroutine[Any, Any, T], spend: Callable[[float], None]) -> None:
        self._work = work
        self._spend = spend

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        resume = partial(next, steps)
        while True:
            started = time.thread_time()
            try:
                waits_for = resume()
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                self._spend(time.thread_time() - started)
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is the work's to handle
                resume = partial(steps.throw, error)
            else:
                resume = partial(next, steps)
