"""`serve-app check FILE`: everything that is wrong with a Serve YAML, in the order of its lines."""

from dataclasses import replace
from pathlib import Path

from serve_app.checking.application import application_problems
from serve_app.checking.document import Document, read
from serve_app.checking.imports import import_problems
from serve_app.checking.problem import ConfigError, Problem, Problems
from serve_app.checking.serve_schema import key_problems, shape_problems, value_problems


def check_file(file: str | Path) -> list[Problem]:
    """Every problem of a file; none if `serve run` will take it."""
    try:
        document = read(Path(file))
    except ConfigError as error:
        return [replace(problem, file=str(file)) for problem in error.problems]
    found = [
        replace(problem, file=str(file), line=problem.line or document.line(problem.path))
        for problem in _problems(document)
    ]
    return sorted(found, key=lambda problem: problem.line or 0)


def _problems(document: Document) -> Problems:
    yield from document.duplicates
    shape = list(shape_problems(document.value))
    if shape:
        yield from shape
        return
    yield from key_problems(document.value)
    yield from value_problems(document.value)
    yield from import_problems(document.value)
    yield from application_problems(document.value)
