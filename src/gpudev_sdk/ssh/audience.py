"""The audience of a login: which server, known by which certificate, a signature is meant for.

Both sides compute it by themselves: the client from the origin that it dialled and the certificate that it pinned, the
server from the origins and the certificate that it has. It is never taken from a reply, so a hostile server cannot have
a signature made that another one accepts.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from gpudev_sdk.errors import InvalidRequest

HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
PIN = re.compile(r"[0-9a-f]{64}\Z")
_PORTS = {"https": 443, "http": 80}
LIKE = "It looks like https://lab.example:7070#sha256=…, as `gpudev up` printed it."


def is_host(text: str) -> bool:
    """Say whether a text is a plain host name (in lower case) or an address, and nothing more."""
    return bool(HOST.match(text)) or is_address(text)


def is_address(text: str) -> bool:
    """Say whether a text is an IPv4 or IPv6 address without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def canonical_origin(origin: str) -> str:
    """Return `scheme://host:port` in the one way in which it is written; raise InvalidRequest for what is no origin."""
    try:
        # urlsplit leaves out newlines and spaces around, without a word.
        parts = urlsplit(origin if origin.isprintable() and " " not in origin else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    rest_is_empty = host and not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if not rest_is_empty or parts.scheme not in _PORTS or not is_host(host) or port == 0:
        raise InvalidRequest("that is not the address of a server", field="origin", hint=LIKE)
    if parts.scheme == "http" and not _is_this_machine(host):
        raise InvalidRequest("plain http never leaves this machine", field="origin", hint=LIKE)
    address = ipaddress.ip_address(host) if is_address(host) else None
    shown = f"[{address}]" if address is not None and address.version == 6 else str(address or host)
    return f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}"


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def split_pin(address: str) -> tuple[str, str | None]:
    """Take `https://HOST:PORT#sha256=PIN` apart into origin and pin (None: a public certificate)."""
    origin, _, fragment = address.partition("#")
    if not fragment:
        return canonical_origin(origin), None
    name, _, pin = fragment.partition("=")
    if name != "sha256" or not PIN.match(pin.lower()):
        raise InvalidRequest("the pin is not sha256= and 64 digits", field="origin", hint=LIKE)
    return canonical_origin(origin), pin.lower()


def audience(origin: str, pin: str | None) -> str:
    """Return the audience of a server that was dialled at `origin` and known by `pin` (None: a public certificate)."""
    if pin is not None and not PIN.match(pin):
        raise InvalidRequest("the pin is not 64 hexadecimal digits", field="pin", hint=LIKE)
    canonical = canonical_origin(origin)
    return canonical if pin is None else f"{canonical}#sha256={pin}"
