"""A YAML file with the line of every key, and no key twice.

YAML keeps the last of two equal keys without a word, and so drops what the first one said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from serve_app.checking.problem import ConfigError, KeyPath, Problem, Problems

# The one in C is five times as fast; a wheel of PyYAML has it.
_FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_FASTEST):  # type: ignore[misc, valid-type]  # whichever there is
    """PyYAML's safe loader, whatever another library of the process does to it."""


# lmformatenforcer, which vLLM brings, makes dates text in PyYAML's own table.
Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_timestamp)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and on which line it says it."""

    value: object
    lines: dict[KeyPath, int]
    duplicates: tuple[Problem, ...]

    def line(self, path: KeyPath) -> int | None:
        """Line of the key, or of the nearest one around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read(file: Path) -> Document:
    """Read one YAML document; raises `ConfigError` for what is not one."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(Problem((), f"cannot be read: {error}")) from None
    return parse_document(text)


def parse_document(text: str) -> Document:
    """The text of one YAML document; raises `ConfigError` for what is not one."""
    try:
        return _parse(Loader(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(Problem((), f"not YAML: {error.problem}", line=line)) from None
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(Problem((), f"cannot be read: {error}")) from None


def _parse(loader: Loader) -> Document:
    node = loader.get_single_node()
    keys = list(_keys(node, ()))  # before construction, which inserts merged keys into the nodes
    lines = {path: mark.line + 1 for path, mark in keys}
    value = loader.construct_document(node) if node is not None else None
    return Document(value, lines, tuple(_duplicates(keys)))


def _keys(node: yaml.Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, yaml.Mark]]:
    """Path and place of every key and list item, in the order of the file."""
    children: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, item, item) for index, item in enumerate(node.value)]
    for part, place, value in children:
        yield (*path, part), place.start_mark
        yield from _keys(value, (*path, part))


def _duplicates(keys: list[tuple[KeyPath, yaml.Mark]]) -> Problems:
    first: dict[KeyPath, yaml.Mark] = {}
    for path, mark in keys:
        if first.setdefault(path, mark) is not mark:
            message = f"appears twice; the one on line {first[path].line + 1} would be ignored"
            yield Problem(path, message, line=mark.line + 1)
