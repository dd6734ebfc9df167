"""Settings of the backend `local`, shared by its compute and its storage."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import attrs

from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.domain.names import LABEL

_PRETENDED = re.compile(r"([^:,\s]+):([0-9]{1,4})\Z")
#: What a box never sees, whatever `paths` says.
_FORBIDDEN = ("/proc", "/sys", "/dev", "/run")


@attrs.frozen
class SharedPath:
    """A folder or file of this machine that every box sees at the same place."""

    path: pathlib.Path
    writable: bool


def parse_pretended(text: str) -> tuple[tuple[str, int], ...]:
    """Read `h100:8` or `h100:4,a100:2`; raise ValueError for anything else."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _PRETENDED.match(part)
        if match is None or not LABEL.match(match[1]) or match[1] == "cpu":
            raise ValueError(f"pretend: {part[:40]!r} is not TYPE:COUNT such as h100:8")
        if match[1] in found or not 1 <= int(match[2]) <= 1024:
            raise ValueError(f"pretend: {part[:40]!r} is given twice or is not from 1 to 1024 GPUs")
        found[match[1]] = int(match[2])
    return tuple(found.items())


def parse_shared(text: str) -> SharedPath:
    """Read `/data` or `/opt:ro`; raise ValueError for anything else."""
    body, _, mode = text.partition(":")
    path = pathlib.Path(body)
    if mode not in ("", "ro") or not path.is_absolute() or ".." in path.parts or "\0" in body or len(path.parts) < 2:
        raise ValueError(f"paths: {text[:80]!r} is not an absolute path such as /data or /opt:ro")
    if any(path == banned or banned in path.parents for banned in map(pathlib.Path, _FORBIDDEN)):
        raise ValueError(f"paths: {text[:80]!r} cannot be shared with boxes; they have their own")
    return SharedPath(path, not mode)


def _pretended(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    parse_pretended(value)


def _shared(instance: object, attribute: attrs.Attribute[list[str]], value: list[str]) -> None:
    for text in value:
        parse_shared(text)


def _indices(instance: object, attribute: attrs.Attribute[list[int] | None], value: list[int] | None) -> None:
    if value is not None and (any(index < 0 for index in value) or len(set(value)) != len(value)):
        raise ValueError(f"gpus: {value} is not a list of different GPU numbers such as [0, 1]")


def _folder(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value and (not pathlib.Path(value).is_absolute() or ".." in pathlib.Path(value).parts):
        raise ValueError(f"disks: {value[:80]!r} is not an absolute path")


def _between(low: int, high: int) -> Any:
    def check(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name}: {value} is not from {low} to {high}")

    return check


@attrs.frozen(kw_only=True)
class LocalSettings:
    """What an operator may say about this machine."""

    #: GPUs to make up for trials, such as `h100:8`; boxes of them have none.
    pretend: str = attrs.field(default="", validator=_pretended)
    #: Which of this machine's GPUs to offer; None is all of them.
    gpus: list[int] | None = attrs.field(default=None, validator=_indices)
    #: How many boxes without a GPU; 0 is one a CPU, and at least 2.
    cpu_slots: int = attrs.field(default=0, validator=_between(0, 4096))
    #: Paths that every box sees, such as `/data` and `/opt:ro`.
    paths: list[str] = attrs.field(factory=list, validator=_shared)
    #: Above this, disks are not copied for a snapshot; where the filesystem shares blocks there is no limit.
    snapshot_limit_bytes: int = attrs.field(default=2_000_000_000, validator=_between(0, 2**60))
    #: Boxes, new disks and snapshots stop when less than this is free.
    free_floor_bytes: int = attrs.field(default=GIB, validator=_between(0, 2**60))
    #: Started as root, person number n has the host uid `uid_first + n`.
    uid_first: int = attrs.field(default=2_000_000, validator=_between(1_000, 4_000_000_000))
    #: The folder of disks; empty is `disks` below the data folder.
    disks: str = attrs.field(default="", validator=_folder)

    @property
    def pretended(self) -> tuple[tuple[str, int], ...]:
        """The types made up and how many of each."""
        return parse_pretended(self.pretend)

    @property
    def shared_paths(self) -> tuple[SharedPath, ...]:
        """What every box sees of this machine."""
        return tuple(parse_shared(text) for text in self.paths)
