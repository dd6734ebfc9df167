"""JSON in and out of the wire's Structs: strict, closed, and with errors that name the field."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from gpudev_sdk.errors import InvalidRequest

T = TypeVar("T")
MAX_BODY = 256 * 1024
_MAX_DEPTH = 32


def encode(value: object) -> bytes:
    """Write a Struct as JSON."""
    return msgspec.json.encode(value)


def decode(raw: bytes, kind: type[T]) -> T:
    """Read JSON into `kind`: no unknown field, no number in quotes, no doubled key; raise InvalidRequest otherwise."""
    if len(raw) > MAX_BODY:
        raise InvalidRequest(f"the body is over {MAX_BODY // 1024} KB")
    _refuse_oddities(raw)
    try:
        return msgspec.json.decode(raw, type=kind, strict=True)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else None
        raise InvalidRequest(str(error), field=field) from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None


def decode_reply(raw: bytes, kind: type[T]) -> T:
    """Read a server's reply; fields that a newer server added are let through by the views themselves."""
    return msgspec.json.decode(raw, type=kind, strict=True)


def _refuse_oddities(raw: bytes) -> None:
    """Refuse what msgspec lets pass and a reader would stumble over: doubled keys, depth, NUL, surrogates."""
    try:
        plain = json.loads(raw, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None
    _refuse_depth(plain)


def _refuse_depth(plain: object) -> None:
    level, depth = [plain], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise InvalidRequest("the body is nested too deep")
        inner = [list(value.values()) if isinstance(value, dict) else value for value in level]
        level = [value for values in inner if isinstance(values, list) for value in values]


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise InvalidRequest("a field is given twice")
    for key, value in pairs:
        for text in (key, value):
            if isinstance(text, str) and ("\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)):
                raise InvalidRequest("text holds a character that cannot be stored", field=key[:40])
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise InvalidRequest(f"{name} is not a number here")
