"""Where a disk lies, and what moving it would take. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gpudev_sdk.domain.disk import Reach
from gpudev_sdk.store.rows import Row
from gpudev_sdk.wire.views import MoveView


@attrs.frozen(kw_only=True)
class Place:
    """What a box must be near to have a disk: None ties it to nothing."""

    backend: str | None = None
    node: str | None = None
    zone: str | None = None


def place_of(disk: Row | None) -> Place:
    """Return what a disk ties its box to. Without a volume it is made of a snapshot, wherever those reach."""
    if disk is None or disk["backend"] is None:
        return Place()
    in_zone = disk["reach"] == Reach.ZONE and disk["volume_id"] is not None
    return Place(
        backend=disk["backend"],
        node=disk["node"] if disk["reach"] == Reach.NODE else None,
        zone=disk["zone"] if in_zone else None,
    )


def moves(disk: Row, backends: Sequence[str]) -> list[MoveView]:
    """Say what it takes to use a disk where it does not lie."""
    place, name = place_of(disk), disk["name"]
    if place.backend is None:
        return []
    copy = f"copy it: a box here with {name}, one there with another disk, and rsync between them"
    found = []
    if place.node is not None:
        found.append(MoveView(to=f"another node of {place.backend}", by="copy", how=copy))
    if place.zone is not None:
        how = f"gpudev disk move {name}: its next box starts from its newest snapshot, in any zone"
        found.append(MoveView(to=f"another zone of {place.backend}", by="snapshot", how=how))
    found += [MoveView(to=other, by="copy", how=copy) for other in backends if other != place.backend]
    return found
