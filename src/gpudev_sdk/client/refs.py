"""How people refer to things, checked before it becomes part of an address."""

from __future__ import annotations

import re

from gpudev_sdk.errors import NotFound

_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?\Z")
_LISTED_BY = {
    "reservation": "`gpudev list --all` shows what you have and had.",
    "disk": "`gpudev disk list` shows what you have.",
    "key": "`gpudev key list` shows yours.",
    "user": "`gpudev admin users list` shows everybody.",
    "backend": "`gpudev status` shows what there is.",
}


def part(ref: str, kind: str) -> str:
    """Return `ref` if it can be a name or an id of ours, and so stand in a path; raise NotFound otherwise."""
    if not _PART.match(ref) or ".." in ref:
        shown = ref if len(ref) <= 40 else ref[:37] + "..."
        raise NotFound(f"there is no {kind} {shown!r}", hint=_LISTED_BY.get(kind))
    return ref
