"""A heap that forgets by name gives what a sorted list would."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from serve_app.core.lazy_heap import SWEEP_AT, LazyHeap

NAMES = st.sampled_from("abcdef")
KEYS = st.sampled_from([0.0, 1.0, 2.0, 3.0])


def heap(**items: float) -> LazyHeap[str]:
    it: LazyHeap[str] = LazyHeap()
    for name, key in items.items():
        it.push(key, name, name)
    return it


def test_the_smallest_key_is_first_and_stays() -> None:
    it = heap(late=2.0, early=1.0)

    assert [it.first(), it.first(), len(it)] == ["early", "early", 2]


def test_equal_keys_come_in_order_of_arrival() -> None:
    assert heap(x=1.0, b=1.0, a=1.0).first() == "x"


def test_an_item_that_is_pushed_again_stands_only_where_it_was_pushed_last() -> None:
    it = heap(a=1.0, b=2.0)
    it.push(3.0, "a", "a")

    assert (it.first(), len(it)) == ("b", 2)


def test_one_that_left_and_came_back_is_there_once() -> None:
    it = heap(a=1.0, b=2.0)
    it.discard("a")
    it.push(1.0, "a", "again")
    it.discard("a")

    assert (it.first(), len(it)) == ("b", 1)


def test_passing_over_leaves_everything_in_place() -> None:
    it = heap(a=1.0, b=2.0, c=3.0)

    assert it.first_except(lambda item: item in "ab") == "c"
    assert it.first_except(lambda item: True) is None
    assert it.first() == "a"


def test_coming_and_going_leaves_nothing_behind() -> None:
    it = heap(stays=0.0)
    for _ in range(10_000):
        it.push(1.0, "a", "a")
        it.discard("a")

    assert repr(it).startswith("<LazyHeap 1 of ")
    assert len(it._entries) <= SWEEP_AT + 2


class Forgetful(RuleBasedStateMachine):
    """The heap beside a dictionary that is sorted every time."""

    def __init__(self) -> None:
        super().__init__()
        self.it: LazyHeap[str] = LazyHeap()
        self.model: dict[str, tuple[float, int]] = {}
        self.pushes = 0

    @rule(name=NAMES, key=KEYS)
    def push(self, name: str, key: float) -> None:
        self.pushes += 1
        self.it.push(key, name, name)
        self.model[name] = key, self.pushes

    @rule(name=NAMES)
    def discard(self, name: str) -> None:
        self.it.discard(name)
        self.model.pop(name, None)

    @rule(name=NAMES)
    def churn(self, name: str) -> None:
        for _ in range(SWEEP_AT):
            self.push(name, 1.0)

    @rule(passed_over=st.sets(NAMES))
    def look_past(self, passed_over: set[str]) -> None:
        expected = min(
            (n for n in self.model if n not in passed_over), key=self.place, default=None
        )
        assert self.it.first_except(lambda item: item in passed_over) == expected

    def place(self, name: str) -> tuple[float, int]:
        return self.model[name]

    @invariant()
    def they_agree(self) -> None:
        assert self.it.first() == min(self.model, key=self.place, default=None)
        assert len(self.it) == len(self.model)


TestForgetful = Forgetful.TestCase
TestForgetful.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
