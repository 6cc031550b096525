"""The keys file: YAML text into records. No message of this module repeats what a file holds,
but for the names of keys that nobody knows."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from serve_app.checking.document import Document, parse_document
from serve_app.checking.knobs import knob_problems
from serve_app.checking.problem import ConfigError, Problem, Problems
from serve_app.keys.record import KeyFile, KeyRecord

_KEY = re.compile(r"sk-[\w-]+")


def read(path: Path) -> str:
    """The text of a keys file; raises `ConfigError`."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(Problem((), f"cannot be read: {error.strerror}", str(path))) from None
    except ValueError:
        raise ConfigError(Problem((), "cannot be read: not UTF-8", str(path))) from None


def parse(text: str, *, source: str) -> tuple[KeyRecord, ...]:
    """The records of a file's text; raises `ConfigError` with every problem, seen in `source`."""
    try:
        document = parse_document(text)
    except ConfigError as error:
        # The parser's own words quote the text.
        raise ConfigError(Problem((), "not YAML", source, error.problems[0].line)) from None
    found = [_placed(problem, document, source) for problem in _problems(document)]
    if found:
        raise ConfigError(*found)
    return KeyFile.model_validate(document.value).keys


def _problems(document: Document) -> Problems:
    yield from document.duplicates
    problems = list(knob_problems(KeyFile, document.value, shows_values=False))
    yield from problems
    if not problems:
        yield from _repeated(KeyFile.model_validate(document.value).keys)


def _repeated(records: Sequence[KeyRecord]) -> Problems:
    first: dict[str, int] = {}
    for index, record in enumerate(records):
        if first.setdefault(record.id, index) != index:
            yield Problem(("keys", index, "id"), f"is also the id of keys[{first[record.id]}]")


def _placed(problem: Problem, document: Document, source: str) -> Problem:
    """The problem with its line, and without what somebody wrote in place of a key's hash."""
    path = tuple(_KEY.sub("sk-…", part) if isinstance(part, str) else part for part in problem.path)
    line = problem.line or document.line(problem.path)
    message = _KEY.sub("sk-…", problem.message)
    return replace(problem, path=path, message=message, file=source, line=line)
