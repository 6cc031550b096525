"""One thing that is wrong with a configuration: where, what, and what would be right."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` leads from the root to the key; `file` and `line` are set for what came from one."""

    path: KeyPath
    message: str
    file: str | None = None
    line: int | None = None

    @property
    def key(self) -> str:
        """The path as people write it.

        >>> Problem(("applications", 0, "args", "names"), "").key
        'applications[0].args.names'
        """
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return "".join(parts).removeprefix(".")

    def under(self, *prefix: str | int) -> "Problem":
        """The same problem, seen from further out."""
        return replace(self, path=(*prefix, *self.path))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        message = " ".join(self.message.split())  # one line, whatever a library wrote
        return ": ".join(part for part in (place, self.key, message) if part)


Problems = Iterator[Problem]


class ConfigError(ValueError):
    """A configuration that will not be run; its text lists every problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def nearest(word: object, words: Iterable[str]) -> str:
    """A suggestion to append to a message, or nothing where no word is near.

    >>> nearest("max_replicass", ["min_replicas", "max_replicas"])
    '; did you mean max_replicas?'
    """
    near = difflib.get_close_matches(str(word).replace("-", "_"), list(words), n=1)
    return f"; did you mean {near[0]}?" if near else ""
