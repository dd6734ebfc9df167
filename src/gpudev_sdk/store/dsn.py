"""What a connection string says of user and password, in libpq's two forms.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
"""

from __future__ import annotations

import re
import urllib.parse

import attrs

_PAIR = re.compile(r"\s*(?P<name>\w+)\s*=\s*(?P<value>'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|\Z)")


@attrs.frozen
class Login:
    """Who logs in, and with what."""

    user: str
    password: str = attrs.field(repr=False)


def login_of(dsn: str) -> Login:
    """Return both; what is not said is empty. Raises ValueError for what is no connection string, without quoting it."""
    if dsn.startswith(("postgresql://", "postgres://")):
        return _of_uri(dsn)
    found: dict[str, str] = {}
    place, text = 0, dsn.strip()
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            raise ValueError("it is no connection string")
        value = pair["value"][1:-1] if pair["value"].startswith("'") else pair["value"]
        found[pair["name"]] = re.sub(r"\\(.)", r"\1", value)
        place = pair.end()
    return Login(found.get("user", ""), found.get("password", ""))


def _of_uri(uri: str) -> Login:
    parts = urllib.parse.urlsplit(uri)
    given = {name: values[-1] for name, values in urllib.parse.parse_qs(parts.query).items()}
    user, password = urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or "")
    return Login(given.get("user", user), given.get("password", password))


def quoted(value: str) -> str:
    """Return a value as it stands in a connection string."""
    escaped = value.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
