"""A heap whose entries may die where they stand.

Taking an entry out of the middle of a heap costs a search. Here it is forgotten by name,
skipped when it comes to the top, and swept when most entries are dead.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SWEEP_AT = 64


class LazyHeap(Generic[T]):
    """Named items by key, smallest first, equal keys in order of arrival.

    An item that is pushed again stands where its new key says, and nowhere else.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, str]] = []
        self._live: dict[str, tuple[int, T]] = {}  # the order of its live entry, and the item
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._live)

    def __repr__(self) -> str:
        return f"<LazyHeap {len(self._live)} of {len(self._entries)} entries live>"

    def push(self, key: float, name: str, item: T) -> None:
        order = next(self._order)
        self._live[name] = order, item
        heapq.heappush(self._entries, (key, order, name))
        self._sweep()

    def discard(self, name: str) -> None:
        """Nothing happens if there is no such item."""
        if self._live.pop(name, None) is not None:
            self._sweep()

    def first(self) -> T | None:
        """The item with the smallest key, left in place."""
        entries = self._entries
        while entries:
            live = self._live.get(entries[0][2])
            if live is not None and live[0] == entries[0][1]:
                return live[1]
            heapq.heappop(entries)
        return None

    def first_except(self, is_passed_over: Callable[[T], bool]) -> T | None:
        """The first item that is not passed over; everything stays in place."""
        aside = []
        while (item := self.first()) is not None and is_passed_over(item):
            aside.append(heapq.heappop(self._entries))
        for entry in aside:
            heapq.heappush(self._entries, entry)
        return item

    def _sweep(self) -> None:
        """Drop the dead when they are most: O(1) amortised."""
        if len(self._entries) > 2 * len(self._live) + SWEEP_AT:
            self._entries = [e for e in self._entries if self._is_live(e)]
            heapq.heapify(self._entries)

    def _is_live(self, entry: tuple[float, int, str]) -> bool:
        live = self._live.get(entry[2])
        return live is not None and live[0] == entry[1]
