"""Addresses of servers on other machines: `https://lab:7070#sha256=…`, checked before anything is dialled."""

from __future__ import annotations

import urllib.parse
from typing import NamedTuple

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.ssh.audience import split_pin

_EXAMPLE = "Give it as the operator did: https://HOST:PORT or https://HOST:PORT#sha256=…"


class Origin(NamedTuple):
    """A server's origin, and the SHA-256 of the certificate authority that alone may speak for it."""

    url: str
    pin: str | None = None

    @property
    def host(self) -> str:
        """The host that is dialled."""
        return urllib.parse.urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        """Write it as people pass it on."""
        return self.url if self.pin is None else f"{self.url}#sha256={self.pin}"


def parse_origin(text: str) -> Origin:
    """Read an address; raise InvalidRequest for plain HTTP, paths, passwords and whatever else has no place in one.

    Plain HTTP is refused on this machine too: whoever binds the port first would be given the token.
    """
    if text.startswith("http://"):
        raise InvalidRequest("a token never crosses plain HTTP", field="server", hint=_EXAMPLE)
    if "\\" in text or not text.isprintable():
        raise InvalidRequest("that is not the address of a server", field="server", hint=_EXAMPLE)
    url, pin = split_pin(text.strip())
    return Origin(url=url, pin=pin)


def is_address(text: str) -> bool:
    """Say whether a text is meant as an address rather than as an install's name."""
    return "://" in text
