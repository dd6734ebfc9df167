"""Where volumes and snapshots are looked for: by our tags, by their handles, and by what this process knows of them."""

from __future__ import annotations

import uuid
from collections import defaultdict

from gpudev_aws import snapshots, tags, volumes
from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent
from gpudev_aws.memory import LAG, Memory
from gpudev_aws.tags import Json
from gpudev_sdk import clock
from gpudev_sdk.domain.disk import SnapshotSighting, VolumeSighting
from gpudev_sdk.errors import TryLater

#: The most that one call lists: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
_VOLUMES, _SNAPSHOTS = 500, 1000
_NOT_SHOWN = "EC2 does not show it, and may just not show it yet"
_WAIT = "Nothing: it is looked for again, and believed to be gone after half a minute."


class Shelf:
    """What one install has on EBS."""

    def __init__(self, calls: Calls, install: uuid.UUID) -> None:
        self._calls, self._install = calls, install
        self.volumes, self.snapshots = Memory(), Memory()

    def list_volumes(self) -> tuple[VolumeSighting, ...]:
        """See every volume; one that may be there, or of which it cannot be told which it is, is unknown."""
        by_id: dict[uuid.UUID, list[Json]] = defaultdict(list)
        for each in self._describe_volumes():
            by_id[uuid.UUID(tags.read(each)[tags.VOLUME])].append(each)
        seen = [self._one_of(volume_id, same) for volume_id, same in by_id.items()]
        doubted = self.volumes.doubted(set(by_id), clock.monotonic())
        missed = [VolumeSighting(volume_id=each, presence="unknown", reason=_NOT_SHOWN) for each in doubted]
        return tuple(sighting for sighting in (*seen, *missed) if sighting.presence != "absent")

    def list_snapshots(self) -> tuple[SnapshotSighting, ...]:
        """See every snapshot; one that may be there is unknown."""
        now = clock.monotonic()
        shown: dict[uuid.UUID, SnapshotSighting] = {}
        # The oldest of each id, as one alone is looked for.
        for each in self._describe_snapshots():
            seen = snapshots.see(each)
            if shown.setdefault(seen.snapshot_id, seen) is seen:
                self.snapshots.see(seen.snapshot_id, seen.handle, now)
        doubted = self.snapshots.doubted(set(shown), now)
        missed = [SnapshotSighting(snapshot_id=each, presence="unknown", reason=_NOT_SHOWN) for each in doubted]
        return (*shown.values(), *missed)

    def find_volume(self, volume_id: uuid.UUID, handle: str | None) -> Json | None:
        """Return what EC2 says of a volume, or None if it is not there. Raises TryLater if it cannot be told."""
        handle = handle or self.volumes.handle(volume_id)
        found = volumes.choose(self._describe_volumes(tag_volume=[str(volume_id)]), handle)
        if found is None and handle is not None:
            found = self._by_handle(volume_id, handle)
        if found is not None:
            self.volumes.see(volume_id, found["VolumeId"], clock.monotonic())
        elif not self.volumes.is_missing(volume_id, clock.monotonic(), handle):
            raise TryLater(_NOT_SHOWN, delay=LAG / 10, hint=_WAIT)
        return found

    def find_snapshot(self, snapshot_id: uuid.UUID, handle: str | None) -> Json | None:
        """Return what EC2 says of a snapshot, or None if it is not there. Raises TryLater if it cannot be told."""
        handle = handle or self.snapshots.handle(snapshot_id)
        found = snapshots.choose(self._describe_snapshots(tag_snapshot=[str(snapshot_id)]), handle)
        if found is not None:
            self.snapshots.see(snapshot_id, found["SnapshotId"], clock.monotonic())
        elif not self.snapshots.is_missing(snapshot_id, clock.monotonic(), handle):
            raise TryLater(_NOT_SHOWN, delay=LAG / 10, hint=_WAIT)
        return found

    def handles_of(self, snapshot_id: uuid.UUID) -> set[str]:
        """Return every snapshot that we asked for by one id: more than one where processes asked before EC2 showed the first."""
        shown = self._describe_snapshots(tag_snapshot=[str(snapshot_id)])
        return {
            str(each["SnapshotId"]) for each in shown if each.get("Description") == snapshots.described(snapshot_id)
        }

    def _by_handle(self, volume_id: uuid.UUID, handle: str) -> Json | None:
        """Return a volume that was not found by its tags: one that is there without them is not absent."""
        try:
            shown = self._calls.one("see the volume", "describe_volumes", VolumeIds=[handle])["Volumes"]
        except Absent:
            return None
        there = [each for each in shown if each["State"] != "deleted"]
        for each in volumes.ours(there):
            own = tags.read(each)
            if (own.get(tags.INSTALL), own[tags.VOLUME]) == (str(self._install), str(volume_id)):
                return each
        if there:
            hint = f"Put the tags {tags.INSTALL}, {tags.VOLUME} and {tags.DISK} back, or delete it."
            raise TryLater(f"{handle} is there and has not our tags any more", delay=30.0, hint=hint)
        return None

    def _one_of(self, volume_id: uuid.UUID, same: list[Json]) -> VolumeSighting:
        handle = self.volumes.handle(volume_id)
        chosen = next((each for each in same if each["VolumeId"] == handle), None) or (
            same[0] if len(same) == 1 else None
        )
        if chosen is None:
            return VolumeSighting(volume_id=volume_id, presence="unknown", reason=volumes.doubt(same))
        self.volumes.see(volume_id, chosen["VolumeId"], clock.monotonic())
        return volumes.see(chosen)

    def _describe_volumes(self, **more: list[str]) -> list[Json]:
        filters = tags.filters(self._install, **more)
        return volumes.ours(
            self._calls.list("see the volumes", "describe_volumes", "Volumes", _VOLUMES, Filters=filters)
        )

    def _describe_snapshots(self, **more: list[str]) -> list[Json]:
        # Somebody else's may be shared with us, tags and all.
        asked = {"OwnerIds": ["self"], "Filters": tags.filters(self._install, **more)}
        return snapshots.ours(
            self._calls.list("see the snapshots", "describe_snapshots", "Snapshots", _SNAPSHOTS, **asked)
        )
