"""The laws of storage that only read."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from gpudev_sdk.domain.disk import SnapshotRef, SnapshotState, VolumeRef
from gpudev_sdk.errors import ProviderError, TryLater
from gpudev_sdk.laws.law import Law, NotTried, Place, demand
from gpudev_sdk.providers import Storage


def _a_volume_never_made_is_absent(place: Place, storage: Storage) -> None:
    seen = place.ask(storage.get_volume, VolumeRef(volume_id=uuid.uuid4(), disk_id=uuid.uuid4()))
    demand_absent("volume", seen.presence, seen.reason)


def _volumes_are_listed_once(place: Place, storage: Storage) -> None:
    seen = place.ask(storage.list_volumes)
    demand_once("volume", [each.volume_id for each in seen])
    demand_there("volume", [each.presence for each in seen])


def _a_snapshot_never_begun_is_absent(place: Place, storage: Storage) -> None:
    seen = place.ask(storage.get_snapshot, SnapshotRef(snapshot_id=uuid.uuid4(), disk_id=uuid.uuid4()))
    demand_absent("snapshot", seen.presence, seen.reason)


def _a_complete_snapshot_says_when(place: Place, storage: Storage) -> None:
    for seen in place.ask(storage.list_snapshots):
        if seen.state is SnapshotState.COMPLETED:
            at = seen.completed_at
            demand(at is not None and at.tzinfo is not None, f"{seen.snapshot_id} does not say when it was complete")


def _snapshots_are_listed_once(place: Place, storage: Storage) -> None:
    seen = place.ask(storage.list_snapshots)
    demand_once("snapshot", [each.snapshot_id for each in seen])
    demand_there("snapshot", [each.presence for each in seen])


def _others_see_no_volumes(place: Place, storage: Storage) -> None:
    others = others_of(place)
    demand_none(place, "volumes", others.list_volumes)
    demand_none(place, "snapshots", others.list_snapshots)


def others_of(place: Place) -> Storage:
    """Return the storage as another install sees it."""
    if place.others_storage is None:
        raise NotTried("it was not built for another install")
    return place.others_storage


def demand_none(place: Place, what: str, listing: Callable[[], Sequence[Any]]) -> None:
    """Demand that another install is shown nothing; to be refused for good is as well."""
    try:
        seen = place.ask(listing)
    except TryLater:
        raise
    except ProviderError:
        return
    demand(not seen, f"an install that has made nothing is shown {len(seen)} {what}")


def demand_absent(what: str, presence: str, reason: str) -> None:
    """Demand that what was never made is absent; where it cannot be told, the law was not tried."""
    if presence == "unknown":
        raise NotTried(f"it could not be told: {reason or 'no reason was given'}")
    demand(presence == "absent", f"a {what} that was never made is {presence}")


def demand_once(what: str, ids: Sequence[object]) -> None:
    """Demand that nothing is listed twice."""
    demand(len(set(ids)) == len(ids), f"a {what} is listed twice")


def demand_there(what: str, presences: Sequence[str]) -> None:
    """Demand that nothing is listed as absent."""
    demand("absent" not in presences, f"a {what} is listed that is said to be absent")


STORAGE: tuple[Law, ...] = (
    Law(number="1.4", says="another install sees no volume, no snapshot", of=Storage, keeps=_others_see_no_volumes),
    Law(number="3.1", says="a volume never made is absent", of=Storage, keeps=_a_volume_never_made_is_absent),
    Law(number="3.2", says="each volume is listed once", of=Storage, keeps=_volumes_are_listed_once),
    Law(number="4.1", says="a snapshot never begun is absent", of=Storage, keeps=_a_snapshot_never_begun_is_absent),
    Law(number="4.1", says="a complete snapshot says when", of=Storage, keeps=_a_complete_snapshot_says_when),
    Law(number="4.6", says="each snapshot is listed once, none as gone", of=Storage, keeps=_snapshots_are_listed_once),
)
