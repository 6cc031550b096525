"""A page of docs/bench that a replay writes: the same numbers on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGES = Path("docs/bench")
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, what the numbers mean, and the numbers."""

    title: str
    text: str
    head: Row
    rows: Sequence[Row]

    def __str__(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        grid = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"## {self.title}\n\n{self.text}\n\n{grid}"


def write(name: str, title: str, about: str, tables: Sequence[Table]) -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    page = PAGES / f"{name}.md"
    page.write_text("\n\n".join([f"# {title}", about, *map(str, tables)]) + "\n")
    print(f"wrote {page}", flush=True)
