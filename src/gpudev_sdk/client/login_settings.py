"""Settings of a login on a person's own machine: what its server told, under what the person set. Pure.

A server is believed in those settings alone that the login's provider calls public. A text is taken as it is, a list may leave
out its brackets, and everything else is read as TOML, as by `gpudev backend add --set`.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Union, get_args, get_origin

import attrs

from gpudev_sdk.errors import InvalidRequest, NotAllowed
from gpudev_sdk.providers import IdentityProvider


class Given(NamedTuple):
    """Texts by name, from either side."""

    #: The server's.
    told: Mapping[str, str]
    #: The person's, which count more.
    own: Mapping[str, str]


def split(words: Iterable[str]) -> dict[str, str]:
    """Return the texts of `--set NAME=VALUE` by name; raise InvalidRequest for a word that is none, or a name given twice."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"{word[:60]!r} is not KEY=VALUE", hint="Such as: --set account=me.")
        if name in given:
            raise InvalidRequest(f"{name[:60]!r} is set twice", hint="A list is one value: --set names=a,b.")
        given[name] = value
    return given


def make(provider: str, kind: type[IdentityProvider], given: Given) -> Any:
    """Return a provider's settings; raise NotAllowed for what is not the server's to set, InvalidRequest for what is wrong."""
    fields = attrs.fields_dict(attrs.resolve_types(kind.Settings))
    for name in given.told:
        if name not in kind.public or name not in fields:
            raise NotAllowed(
                f"the server wants to set {name[:60]!r} of the login {provider} on this machine, which is not its to say",
                hint=f"Upgrade the plugin: pip install --upgrade gpudev-{provider}. If that changes nothing, mistrust it.",
            )
    for name in given.own:
        if name not in fields:
            known = ", ".join(sorted(fields)) or "nothing"
            raise InvalidRequest(f"the login {provider} does not know {name[:60]!r}", hint=f"It knows: {known}.")
    texts = {**given.told, **given.own}
    values = {name: _read(fields[name].type, text, name) for name, text in texts.items()}
    try:
        return kind.Settings(**values)
    except (TypeError, ValueError) as error:
        whose = "what you set" if given.own else "what the server says of it"
        # A validator of attrs gives its reason first, and then what it was asked.
        said = str(error.args[0]).partition("\n")[0][:200] if error.args else type(error).__name__
        raise InvalidRequest(
            f"the login {provider} cannot be used: {said}", hint=f"Correct {whose}, or ask the server's operator."
        ) from error


def _read(kind: Any, text: str, name: str) -> Any:
    """Return a text as a value of a plain type."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next((each for each in get_args(kind) if each is not type(None)), None)
    if kind is str:
        return text
    if get_origin(kind) is list and not text.lstrip().startswith("["):
        return [_read(get_args(kind)[0], part.strip(), name) for part in text.split(",") if part.strip()]
    value = _toml(text)
    if not _fits(kind, value):
        raise InvalidRequest(f"{name} cannot be {text[:60]!r}", field=name, hint=f"It is {_words(kind)}.")
    return float(value) if kind is float else value


def _toml(text: str) -> Any:
    try:
        return None if "\n" in text else tomllib.loads(f"value = {text}")["value"]
    # No TOML, a number of more digits than Python reads, or a thousand brackets.
    except (ValueError, RecursionError):
        return None


def _fits(kind: Any, value: Any) -> bool:
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(get_args(kind)[0], each) for each in value)
    if kind is float:
        # Written so, not-a-number is none, and neither is what no float can hold.
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return kind in (bool, str) and isinstance(value, kind)


def _words(kind: Any) -> str:
    known = {int: "a whole number", float: "a number", bool: "true or false"}
    return known.get(kind, "a list, such as a,b" if get_origin(kind) is list else "not to be set by a text")
