"""What EBS's snapshots say, and which of those with our tags are ours. Pure.

A copy of a snapshot has the tags of the first where whoever copied it copied them too. It says that it is a copy, and that it is
of some other volume (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Snapshot.html); one that was taken of another
volume names that. So ours names in a tag the volume that EBS says it is of.
"""

from __future__ import annotations

import datetime as dt
import uuid

from gpudev_aws import tags
from gpudev_aws.settings import AwsSettings
from gpudev_aws.tags import Json
from gpudev_sdk.domain.disk import SnapshotSighting, SnapshotSpec, SnapshotState
from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.errors import Unworkable

#: What only a copy has.
_COPIED = "TransferType"
_STATES = {"completed": SnapshotState.COMPLETED, "error": SnapshotState.ERROR}


def request(spec: SnapshotSpec, source: str, settings: AwsSettings, install: uuid.UUID) -> Json:
    """Return what CreateSnapshot is asked, of the volume that EBS calls `source`."""
    ours = {
        tags.INSTALL: str(install),
        tags.SNAPSHOT: str(spec.snapshot_id),
        tags.VOLUME: str(spec.volume.volume_id),
        tags.DISK: str(spec.volume.disk_id),
        tags.OWNER: str(spec.owner_number),
        tags.SOURCE: source,
        "Name": f"gpudev snapshot of {spec.volume.disk_id}",
    }
    return {
        "VolumeId": source,
        "Description": described(spec.snapshot_id),
        "TagSpecifications": tags.specification("snapshot", settings.tags | ours),
    }


def described(snapshot_id: uuid.UUID) -> str:
    """Return the description of a snapshot, which whoever copies tags does not copy."""
    return f"gpudev {snapshot_id}"


def ours(found: list[Json]) -> list[Json]:
    """Return those that we took, and no copies, the oldest first."""
    own = [
        each
        for each in found
        if tags.id_in(each, tags.SNAPSHOT)
        and tags.read(each).get(tags.SOURCE) == each.get("VolumeId")
        and not each.get(_COPIED)
    ]
    return sorted(own, key=lambda each: (each["StartTime"], each["SnapshotId"]))


def choose(found: list[Json], handle: str | None) -> Json | None:
    """Return the one of a handle; without one, the oldest, since who copied its tags came later."""
    if handle is not None:
        return next((each for each in found if each["SnapshotId"] == handle), None)
    return found[0] if found else None


def see(found: Json) -> SnapshotSighting:
    """Return what a snapshot says of itself."""
    snapshot_id = tags.id_in(found, tags.SNAPSHOT)
    assert snapshot_id is not None  # as `ours` saw
    state = _STATES.get(found["State"], SnapshotState.PENDING)
    return SnapshotSighting(
        snapshot_id=snapshot_id,
        presence="present",
        state=state,
        handle=found["SnapshotId"],
        size_bytes=int(found["VolumeSize"]) * GIB,
        reason=str(found.get("StateMessage") or "") if state is SnapshotState.ERROR else "",
        completed_at=_completed(found) if state is SnapshotState.COMPLETED else None,
    )


def check(found: Json, disk_id: uuid.UUID) -> Json:
    """Return a snapshot, if it is of this disk."""
    if tags.id_in(found, tags.DISK) != disk_id:
        raise Unworkable(f"{found['SnapshotId']} is of another disk", hint="Look at its tags; somebody changed them.")
    return found


def _completed(found: Json) -> dt.datetime:
    """Return when it was complete; EBS says it of newer ones only, and of all when they were begun."""
    at: dt.datetime = found.get("CompletionTime") or found["StartTime"]
    return at
