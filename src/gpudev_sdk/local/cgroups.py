"""Limits of CPU, memory and processes for boxes, where this system lets us set them.

As root by groups below (v1) or beside (v2) our own; as an ordinary user only where systemd delegated them. Where nothing
is allowed there are none, and `describe` says so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib

import attrs

_ROOT = pathlib.Path("/sys/fs/cgroup")
_PERIOD = 100_000
_MOST_PROCESSES = 32_768


@attrs.frozen(kw_only=True)
class Group:
    """A control group to make: its folder, where processes are written, and its limits by file."""

    folder: pathlib.Path
    tasks: pathlib.Path
    limits: dict[str, str]


@attrs.frozen
class Place:
    """Where groups can be made, for these controllers."""

    parent: pathlib.Path
    controllers: frozenset[str]
    version: int


@functools.cache
def places() -> tuple[Place, ...]:
    """Return where this process may make groups; found out once, by trying."""
    found = [place for place in _candidates() if _works(place)]
    return tuple(found)


def described() -> str:
    """Say which limits boxes get."""
    have = frozenset[str]().union(*(place.controllers for place in places()))
    names = [
        word for word, controller in (("cpu", "cpu"), ("memory", "memory"), ("processes", "pids")) if controller in have
    ]
    return ", ".join(names) if names else "none: this system lets gpudev set no limits"


def plan(name: str, *, cpus: float | None, memory_bytes: int | None) -> tuple[Group, ...]:
    """Return the groups of a box; none where none can be made."""
    return tuple(
        Group(
            folder=place.parent / f"gpudev-{name}",
            tasks=place.parent / f"gpudev-{name}" / ("cgroup.procs"),
            limits=_limits(place, cpus, memory_bytes),
        )
        for place in places()
    )


def make(groups: tuple[Group, ...]) -> None:
    """Make the groups and set their limits."""
    for group in groups:
        group.folder.mkdir(exist_ok=True)
        for file, value in group.limits.items():
            (group.folder / file).write_text(value)


def remove(folders: tuple[str, ...]) -> None:
    """Remove groups that are empty; one that is not yet stays for the next call (OSError)."""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):
            pathlib.Path(folder).rmdir()


def _limits(place: Place, cpus: float | None, memory_bytes: int | None) -> dict[str, str]:
    quota = None if cpus is None else max(1_000, int(cpus * _PERIOD))
    limits: dict[str, str] = {}
    if "cpu" in place.controllers and quota is not None:
        if place.version == 1:
            limits |= {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)}
        else:
            limits["cpu.max"] = f"{quota} {_PERIOD}"
    if "memory" in place.controllers and memory_bytes is not None:
        limits["memory.limit_in_bytes" if place.version == 1 else "memory.max"] = str(memory_bytes)
    if "pids" in place.controllers:
        limits["pids.max"] = str(_MOST_PROCESSES)
    return limits


def _candidates() -> list[Place]:
    try:
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, names, path = line.split(":", 2)
        if number == "0":
            found += _unified(pathlib.PurePosixPath(path))
            continue
        controllers = frozenset(names.split(",")) & {"cpu", "memory", "pids"}
        if controllers:
            found.append(Place(_ROOT / names / path.lstrip("/"), controllers, 1))
    return found


def _unified(own: pathlib.PurePosixPath) -> list[Place]:
    """Return our own group's parent, as a group with processes may have none below it that has limits."""
    for root in (_ROOT, _ROOT / "unified"):
        parent = root / str(own.parent).lstrip("/")
        with contextlib.suppress(OSError):
            have = frozenset((parent / "cgroup.subtree_control").read_text().split())
            return [Place(parent, have & {"cpu", "memory", "pids"}, 2)]
    return []


def _works(place: Place) -> bool:
    trial = place.parent / f"gpudev-trial-{os.getpid()}"
    try:
        trial.mkdir()
    except OSError:
        return False
    try:
        for file, value in _limits(place, 1.0, 2**30).items():
            (trial / file).write_text(value)
        return bool(place.controllers) and os.access(place.parent / "cgroup.procs", os.W_OK)
    except OSError:
        return False
    finally:
        trial.rmdir()
