"""What a client may ask the gateway for, and where a row may send it. Pure: both are checked by grammar."""

from __future__ import annotations

import re

import attrs

from gpudev_sdk.domain.names import NAME

SUFFIX = ".gpudev"
SSH_PORT = 22
_TCP = re.compile(r"tcp:(?P<host>[A-Za-z0-9.:-]{1,253}):(?P<port>[0-9]{1,5})\Z")
#: A Unix socket's path fits into 107 bytes.
_UNIX = re.compile(r"unix:(?P<path>/[^\0\n]{1,106})\Z")


@attrs.frozen
class Target:
    """A box by name: one's own, or that of another person."""

    name: str
    owner: str | None = None


@attrs.frozen
class UnixEndpoint:
    """A socket on this machine."""

    path: str


@attrs.frozen
class TcpEndpoint:
    """An address in the cluster."""

    host: str
    port: int


def parse_target(host: str, port: int, install: str) -> tuple[Target, ...]:
    """Return what a destination may mean, in the order in which to look; nothing for what is no name of a box.

    `NAME`, `NAME.OWNER` and either with `.INSTALL`, all with or without `.gpudev`. One's own box goes before another
    person's: `work.lab` is one's own `work` on the install `lab`, and only then the `work` of the person `lab`.
    """
    if port != SSH_PORT:
        return ()
    labels = host.removesuffix(SUFFIX).split(".")
    if not 1 <= len(labels) <= 3 or not all(NAME.match(label) for label in labels):
        return ()
    found = []
    if len(labels) > 1 and labels[-1] == install:
        found.append(Target(*labels[:-1]))
    if len(labels) < 3:
        found.append(Target(*labels))
    return tuple(found)


def parse_endpoint(text: str) -> UnixEndpoint | TcpEndpoint | None:
    """Read the endpoint of a row; None for what the gateway never dials."""
    unix = _UNIX.match(text)
    if unix:
        return UnixEndpoint(unix["path"])
    tcp = _TCP.match(text)
    if tcp and 0 < int(tcp["port"]) < 65536:
        return TcpEndpoint(tcp["host"], int(tcp["port"]))
    return None
