"""What EBS's volumes say, and what is asked of it to make one. Pure.

States: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-describing-volumes.html
Sizes: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
"""

from __future__ import annotations

import hashlib
import json
import uuid

from gpudev_aws import tags
from gpudev_aws.settings import AwsSettings
from gpudev_aws.tags import Json
from gpudev_sdk.domain.disk import VolumeSighting, VolumeSpec
from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.errors import TryLater, Unworkable

#: The least GiB of a type that is not 1.
_LEAST = {"io1": 4, "io2": 4, "st1": 125, "sc1": 125}
_READY, _MAKING = ("available", "in-use"), "creating"
#: On its way out.
GOING = "deleting"
#: Made and of no use: what was in it, if anything, is lost.
FAILED = "error"
_WHY = {
    _MAKING: "EBS is making it",
    GOING: "it is being deleted",
    FAILED: "EBS says `error`: its hardware failed, and what was on it is lost",
}


def request(spec: VolumeSpec, zone: str, settings: AwsSettings, install: uuid.UUID, source: Json | None = None) -> Json:
    """Return what CreateVolume is asked, but for the token; `source` is the snapshot as EBS describes it."""
    ours = {
        tags.INSTALL: str(install),
        tags.VOLUME: str(spec.volume_id),
        tags.DISK: str(spec.disk_id),
        tags.OWNER: str(spec.owner_number),
        "Name": f"gpudev disk {spec.disk_id}",
    }
    size = max(gib(spec.size_bytes), _LEAST.get(settings.volume_type, 1))
    asked: Json = {"AvailabilityZone": zone, "VolumeType": settings.volume_type}
    if source is not None:
        ours[tags.RESTORED_FROM] = tags.read(source)[tags.SNAPSHOT]
        asked["SnapshotId"] = source["SnapshotId"]
        size = max(size, int(source["VolumeSize"]))
    # Of an encrypted snapshot a volume is encrypted whatever is asked, and asking for one that is not would be refused.
    optional = {
        "Encrypted": settings.encrypted,
        "KmsKeyId": settings.kms_key,
        "Iops": settings.iops,
        "Throughput": settings.throughput,
    }
    asked |= {name: value for name, value in optional.items() if value}
    return asked | {"Size": size, "TagSpecifications": tags.specification("volume", settings.tags | ours)}


def gib(size_bytes: int) -> int:
    """Return a size in whole GiB, rounded up."""
    return max(1, -(-size_bytes // GIB))


def token(asked: Json, after: str | None) -> str:
    """Return what makes asking twice asking once, of all that is asked, our ids among it; 64 characters are the most.

    `after` is the volume that came of it before and is lost: EC2 would name that one again, for a day and more.
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    return hashlib.sha256(json.dumps([asked, after], sort_keys=True).encode()).hexdigest()


def ours(found: list[Json]) -> list[Json]:
    """Return those that can be disks of ours: with an id of a volume, and not with the tags of a snapshot, copied on."""
    return [
        each
        for each in found
        if tags.id_in(each, tags.VOLUME) and tags.SNAPSHOT not in tags.read(each) and each["State"] != "deleted"
    ]


def choose(found: list[Json], handle: str | None) -> Json | None:
    """Return the one that is ours of those with our tags. Raises TryLater where it cannot be told: it is never guessed."""
    if handle is not None:
        return next((each for each in found if each["VolumeId"] == handle), None)
    if len(found) > 1:
        raise TryLater(
            doubt(found), delay=30.0, hint=f"Take the tag {tags.VOLUME} off of the one that gpudev did not make."
        )
    return found[0] if found else None


def doubt(found: list[Json]) -> str:
    """Say that several volumes carry the tags of one."""
    names = ", ".join(sorted(each["VolumeId"] for each in found))
    return f"{names} carry the same tags of ours, which somebody copied, so it cannot be told which is the disk"


def see(found: Json) -> VolumeSighting:
    """Return what a volume says of itself. One that failed is absent, as nothing is in it, so that making it again says why."""
    volume_id = tags.id_in(found, tags.VOLUME)
    assert volume_id is not None  # as `ours` saw
    if found["State"] == FAILED:
        return VolumeSighting(volume_id=volume_id, presence="absent", reason=f"{found['VolumeId']}: {_WHY[FAILED]}")
    return VolumeSighting(
        volume_id=volume_id,
        presence="present",
        ready=found["State"] in _READY,
        handle=found["VolumeId"],
        zone=found["AvailabilityZone"],
        attachments=users(found),
        reason=_WHY.get(found["State"], ""),
    )


def users(found: Json) -> tuple[str, ...] | None:
    """Return the instances that have a volume; None where EBS says that it is in use and not by what."""
    having = tuple(each["InstanceId"] for each in found.get("Attachments") or [] if each.get("State") != "detached")
    return None if not having and found["State"] == "in-use" else having


def check(found: Json, disk_id: uuid.UUID) -> Json:
    """Return a volume, if it is of this disk."""
    if tags.id_in(found, tags.DISK) != disk_id:
        raise Unworkable(f"{found['VolumeId']} is of another disk", hint="Look at its tags; somebody changed them.")
    return found


def check_mountable(found: Json) -> None:
    """Refuse a volume that cannot be attached, or not yet."""
    state, name = found["State"], found["VolumeId"]
    if state == _MAKING:
        raise TryLater(f"{name} is still being made", delay=1.0, hint="Nothing: it is asked for again.")
    if state not in _READY:
        raise Unworkable(
            f"the disk's volume {name} cannot be used: {_WHY.get(state, state)}", hint="Restore a snapshot."
        )
