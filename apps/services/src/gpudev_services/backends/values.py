"""Values of `--set KEY=VALUE`, typed by the settings class that they are for. Pure.

A text is taken as it is; everything else is read as TOML, and a list may leave out its brackets. `a.b=c` sets `b` in `a`.
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import attrs

from gpudev_sdk.errors import InvalidRequest


def split(words: Iterable[str]) -> dict[str, str]:
    """Return the texts by key; raise InvalidRequest for a word that is no KEY=VALUE, or a key given twice."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not all(key.split(".")):
            raise InvalidRequest(f"{word[:60]!r} is not KEY=VALUE", hint="Such as: --set namespace=boxes.")
        if key in given:
            raise InvalidRequest(f"{key!r} is set twice", hint="A list is one value: --set names=a,b.")
        given[key] = value
    return given


def knows(settings: type[Any], key: str) -> bool:
    """Say whether a settings class has the field that a key begins with."""
    return key.partition(".")[0] in attrs.fields_dict(attrs.resolve_types(settings))


def typed(settings: type[Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the table that the texts make; raise InvalidRequest for a value that does not fit its field."""
    table: dict[str, Any] = {}
    for key, text in given.items():
        *outer, last = key.split(".")
        where = table
        for name in outer:
            where = where.setdefault(name, {})
            if not isinstance(where, dict):
                raise InvalidRequest(f"{key!r} is set beside {name!r}", hint="Set one or the other.")
        where[last] = _read(_kind(settings, key.split(".")), text, key)
    return table


def _kind(kind: Any, names: list[str]) -> Any:
    """Return the type of what a key names; a name nobody knows is left to whoever reads the table."""
    for name in names:
        if isinstance(kind, type) and attrs.has(kind):
            field = attrs.fields_dict(attrs.resolve_types(kind)).get(name)
            kind = None if field is None else field.type
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
    return kind


def _read(kind: Any, text: str, key: str) -> Any:
    if kind is str or kind is None:
        return text
    if get_origin(kind) is list and not text.lstrip().startswith("["):
        return [_read(get_args(kind)[0], part.strip(), key) for part in text.split(",") if part.strip()]
    value: Any = None
    if "\n" not in text:
        with contextlib.suppress(tomllib.TOMLDecodeError):
            value = tomllib.loads(f"value = {text}")["value"]
    if not _fits(kind, value):
        raise InvalidRequest(f"{key} cannot be {text[:60]!r}", field=key, hint=f"It is {_words(kind)}.")
    return float(value) if kind is float else value


def _fits(kind: Any, value: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    plain = get_origin(kind) or kind
    return isinstance(value, dict if attrs.has(plain) else plain)


def _words(kind: Any) -> str:
    known = {int: "a whole number", float: "a number", bool: "true or false"}
    if get_origin(kind) is list:
        return "a list, such as a,b"
    return known.get(kind, "a table, such as KEY.NAME=VALUE")
