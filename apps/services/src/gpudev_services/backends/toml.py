"""Tables of a TOML file as text: written at its end, and cut out again, so that all else stays as its author wrote it. Pure.

The grammar is https://toml.io/en/v1.0.0 ; whatever is done to a file is read back, and not done if it says anything else.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import attrs

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


class NotPlain(Exception):
    """The file is written in a way that cannot be changed without changing more of it."""


def write_table(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Return a table as text, with the tables in it below."""
    own = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    inner = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    header = [f"[{'.'.join(map(_key, path))}]"] if own or not inner else []
    lines = [*header, *(f"{_key(name)} = {_value(value)}" for name, value in own.items())]
    tables = [write_table((*path, name), value) for name, value in inner.items()]
    return "\n\n".join([*(["\n".join(lines)] if lines else []), *tables])


def append(text: str, path: tuple[str, ...], values: Mapping[str, Any], note: str) -> str:
    """Return the file with a table more, under a comment; raise NotPlain where it cannot be put at the end."""
    wanted = _with(tomllib.loads(text), path, values)
    before = text.rstrip("\n") + "\n\n" if text.strip() else ""
    made = f"{before}# {note}\n{write_table(path, values)}\n"
    _check(made, wanted)
    return made


@attrs.frozen(kw_only=True)
class Cut:
    """A file without a table, and which lines that takes (counted from 1)."""

    text: str
    lines: tuple[int, ...]


def cut(text: str, path: tuple[str, ...], note: str) -> Cut:
    """Return the file without a table and those in it; raise NotPlain, with the lines, where more would change.

    A comment that is exactly `note` right above it goes too; every other one stays.
    """
    # Not `splitlines`: lines of TOML end with a newline and nothing else.
    lines = re.split(r"(?<=\n)", text)
    gone = _lines_of(lines, path, note)
    made = "".join(line for number, line in enumerate(lines) if number not in gone)
    try:
        _check(made, _without(tomllib.loads(text), path))
    except NotPlain as error:
        raise NotPlain(_where(lines, path, gone)) from error
    return Cut(text=made, lines=tuple(sorted(number + 1 for number in gone)))


def _key(name: str) -> str:
    return name if _BARE.match(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # Strings are those of JSON, but for this one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise NotPlain(f"{value!r} cannot be written into a configuration")


def _check(made: str, wanted: dict[str, Any]) -> None:
    try:
        found = tomllib.loads(made)
    except tomllib.TOMLDecodeError as error:
        raise NotPlain(str(error)) from error
    if found != wanted:
        raise NotPlain("more than that would change")


def _with(raw: dict[str, Any], path: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    name, *rest = path
    there = raw.get(name, {})
    if not isinstance(there, dict):
        raise NotPlain(f"{name} is no table in it")
    inner = _plain(values) if not rest else _with(there, tuple(rest), values)
    return {**raw, name: inner}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as a file gives them back."""
    return {
        name: _plain(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _without(raw: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return what is left; a table that only held the one that goes is not left either."""
    name, *rest = path
    others = {key: value for key, value in raw.items() if key != name}
    inner = _without(raw[name], tuple(rest)) if rest else {}
    return {**others, name: inner} if inner else others


def _lines_of(lines: list[str], path: tuple[str, ...], note: str) -> set[int]:
    """Return the numbers of the lines that are the table: from each of its headers to the last line that says something."""
    starts = [number for number, line in enumerate(lines) if _path_of(line) is not None]
    gone: set[int] = set()
    for start, end in itertools.pairwise([*starts, len(lines)]):
        found = _path_of(lines[start])
        if found is not None and found[: len(path)] == path:
            gone |= set(range(_first(lines, start, note), _last(lines, start, end) + 1))
    return gone


def _first(lines: list[str], start: int, note: str) -> int:
    """Go up by our comment and one empty line."""
    if start and lines[start - 1].strip() == f"# {note}":
        start -= 1
    return start - 1 if start and not lines[start - 1].strip() else start


def _last(lines: list[str], start: int, end: int) -> int:
    """Leave out comments and empty lines at the end: a comment belongs to what follows it."""
    said = [
        number for number in range(start, end) if lines[number].strip() and not lines[number].lstrip().startswith("#")
    ]
    return said[-1]


def _path_of(line: str) -> tuple[str, ...] | None:
    """Return the path that a header names, or None for a line that is none."""
    if not line.lstrip().startswith("["):
        return None
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path = []
    while found:
        ((name, found),) = found.items()
        path.append(name)
        # [[a]] is a list of tables.
        found = found[0] if isinstance(found, list) else found
    return tuple(path)


def _where(lines: list[str], path: tuple[str, ...], gone: set[int]) -> str:
    """Say where a person finds the table."""
    named = re.compile(rf"(?<![\w-]){re.escape(path[-1])}(?![\w-])")
    numbers = sorted(gone) or [number for number, line in enumerate(lines) if named.search(line)]
    if not numbers:
        return "look for it"
    return f"line {numbers[0] + 1}" if len(numbers) == 1 else f"lines {numbers[0] + 1} to {numbers[-1] + 1}"
