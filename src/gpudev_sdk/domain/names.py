"""The grammar of every name a person may choose, in one place."""

from __future__ import annotations

import re
import uuid

from gpudev_sdk.errors import InvalidRequest

#: Disks, reservations, shares, users. `\Z`, because `$` lets a trailing newline pass.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z")
#: GPU types, backends, providers and logins: names from configuration.
LABEL = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z")
#: A full id or a prefix of one.
ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}\Z")
#: Names that would be read as an instruction.
RESERVED = frozenset({"default", "none", "all", "gateway"})


def check_name(value: str, *, kind: str) -> str:
    """Return `value` if it may name a `kind`; raise InvalidRequest that says what a name looks like."""
    if value in RESERVED:
        raise InvalidRequest(f"{value!r} is reserved and cannot name a {kind}", field=kind, hint="Choose another name.")
    if not NAME.match(value):
        shown = value if len(value) <= 40 else value[:37] + "..."
        raise InvalidRequest(
            f"{shown!r} cannot name a {kind}",
            field=kind,
            hint="Use 1 to 40 of a-z, 0-9 and -, beginning and ending with a letter or digit.",
        )
    return value


def check_label(value: str, *, kind: str) -> str:
    """Return `value` if it may be a `kind` that an operator configured; raise InvalidRequest otherwise."""
    if not LABEL.match(value):
        shown = value if len(value) <= 40 else value[:37] + "..."
        raise InvalidRequest(f"{shown!r} is not a {kind}", field=kind, hint="`gpudev avail` lists what there is.")
    return value


def is_id(value: str) -> bool:
    """Say whether `value` is a whole id of ours."""
    try:
        return str(uuid.UUID(value)) == value
    except ValueError:
        return False
