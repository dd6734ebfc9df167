"""What cards, their pods and claims say of disks and snapshots, as the engine asks for it. Pure."""

from __future__ import annotations

import uuid

import attrs

from gpudev_kind.cards import Card, State
from gpudev_kind.shelf import Look, Stage
from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotState, VolumeSighting
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube import disks
from gpudev_sdk.kube.kinds import Json


def check(card: Card, disk_id: uuid.UUID, handle: str | None) -> None:
    """Refuse a card that is of another disk, or lies elsewhere than what is meant; raise Unworkable."""
    if card.disk_id != disk_id:
        raise Unworkable(f"{card.name} is of another disk")
    if handle is not None and handle != card.handle:
        raise Unworkable(f"{card.name} lies at {card.handle}, and was made at {handle}")


def see_volume(card: Card, claim: Json | None, pods: list[Json]) -> VolumeSighting:
    """Return the sighting of a volume that was made; `pods` are all that may use its claim."""
    if claim is None:
        reason = f"its claim was deleted by somebody else; the data is kept on {card.node} in {card.path}"
        return VolumeSighting(volume_id=card.id, presence="present", handle=card.handle, attachments=(), reason=reason)
    return attrs.evolve(disks.see_volume(claim, pods, waits_for_pod=False), handle=card.handle)


def see_unready(look: Look) -> VolumeSighting:
    """Return the sighting of a volume that is not there whole, or not any more."""
    card = look.card
    if look.stage in (Stage.GONE, Stage.DEAD, Stage.FAILED):
        return VolumeSighting(volume_id=card.id, presence="absent", reason=look.reason)
    making = "being restored" if card.source else "being made"
    reason = look.reason or (making if card.state is State.MAKING else "it is being removed")
    return VolumeSighting(volume_id=card.id, presence="present", handle=card.handle, attachments=(), reason=reason)


_STATES = {
    Stage.FAILED: SnapshotState.ERROR,
    Stage.MADE: SnapshotState.COMPLETED,
    Stage.MAKING: SnapshotState.PENDING,
    Stage.REMOVING: SnapshotState.PENDING,
}


def see_snapshot(look: Look) -> SnapshotSighting:
    """Return the sighting of a snapshot."""
    card = look.card
    if look.stage not in _STATES:
        return SnapshotSighting(snapshot_id=card.id, presence="absent", reason=look.reason)
    return SnapshotSighting(
        snapshot_id=card.id,
        presence="present",
        state=_STATES[look.stage],
        handle=card.handle,
        size_bytes=card.size_bytes,
        reason=look.reason,
        completed_at=card.ended_at if look.stage is Stage.MADE else None,
    )
