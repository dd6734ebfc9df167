"""I-5, I-6 and I-7: one writer for each disk, nothing unsaved deleted, and everybody starts with their newest content."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator

from gpudev_sdk.engine.check.tables import DiskRow, ReservationRow, SnapshotRow, VolumeRow
from gpudev_sdk.engine.check.values import REPORT, Case, Violation
from gpudev_sdk.engine.check.world import SeenBackend

#: A cloud may show an attachment for a while after it was seen gone.
LAG = dt.timedelta(minutes=5)


def _one_writer(what: str, key: str) -> Violation:
    return Violation(law="I-5", what=what, next_step=REPORT, key=f"I-5:{key}")


def one_writer(case: Case) -> Iterator[Violation]:
    """I-5: one open lease for each disk, held by whoever runs with it; one server has its volume."""
    counts = Counter(lease.disk_id for lease in case.tables.leases)
    for disk_id, count in counts.items():
        if count > 1:
            yield _one_writer(f"disk {disk_id} has {count} writers", f"writers:{disk_id}")
    for row in case.tables.reservations:
        why = _wrong_lease(case, row)
        if why is not None:
            yield _one_writer(f"{row.label} is {row.state} and {why}", f"lease:{row.id}")
    for backend in case.world.backends:
        yield from _attached(case, backend)


def _wrong_lease(case: Case, row: ReservationRow) -> str | None:
    leases = case.leases.get(row.id, [])
    if any(lease.disk_id != row.disk_id for lease in leases):
        return "holds a disk that is not its own"
    if leases and row.state in ("queued", "ended"):
        return "still holds its disk"
    if leases and row.disk_released_at is not None:
        return "holds a disk that it gave back"
    if not leases and row.disk_id is not None and row.state in ("preparing", "active"):
        return "does not hold its disk"
    return None


def _attached(case: Case, backend: SeenBackend) -> Iterator[Violation]:
    held = {lease.disk_id for lease in case.tables.leases}
    for seen in backend.volumes or ():
        users, volume = seen.attachments or (), case.volumes.get(seen.volume_id)
        if len(users) > 1:
            what = f"volume {seen.volume_id} is attached to {', '.join(sorted(users))}"
            yield _one_writer(what, f"attached:{seen.volume_id}")
        elif users and volume is not None and volume.disk_id not in held and not _just_detached(case, volume):
            what = f"volume {seen.volume_id} is attached to {users[0]} and nobody holds disk {volume.disk_id}"
            yield _one_writer(what, f"unheld:{seen.volume_id}")
    mounts = Counter(server.volume_id for server in backend.servers or () if server.volume_id is not None)
    for volume_id, count in mounts.items():
        if count > 1:
            yield _one_writer(f"{count} servers have volume {volume_id}", f"mounted:{volume_id}")


def _just_detached(case: Case, volume: VolumeRow) -> bool:
    return volume.detached_at is not None and case.now < volume.detached_at + LAG


def nothing_unsaved_is_deleted(case: Case) -> Iterator[Violation]:
    """I-6: a volume goes only with its content saved, and the newest good snapshot of a live disk stays."""
    for volume in case.tables.volumes:
        why = _unsafe(case, volume) if volume.state == "deleting" else None
        if why is not None:
            yield _loses(f"volume {volume.id} of disk {volume.disk_id} is being deleted {why}", f"volume:{volume.id}")
    for disk in case.tables.disks:
        if disk.deleted_at is None:
            yield from _kept(case, disk)
    for loss in case.world.record.losses if case.world.record else ():
        what = f"volume {loss.volume_id} of disk {loss.disk_id} was deleted at {loss.at} with content that nothing else has"
        yield _loses(what, f"loss:{loss.volume_id}")


def _loses(what: str, key: str) -> Violation:
    step = "Stop gpudev at once, keep every snapshot and volume of that disk, and report this."
    return Violation(law="I-6", what=what, next_step=step, key=f"I-6:{key}")


def _unsafe(case: Case, volume: VolumeRow) -> str | None:
    if volume.delete_reason == "never-used":
        return "as never used, and it was used" if volume.detached_at is not None else None
    if volume.delete_reason == "disk-deleted":
        disk = case.disks.get(volume.disk_id)
        over = disk is not None and disk.purge_at is not None and disk.purge_at <= case.now
        return None if over else "before its owner's time to have it back is over"
    saved = case.snapshots.get(volume.deletable_snapshot_id) if volume.deletable_snapshot_id else None
    if saved is None or saved.completed_at is None or saved.volume_id != volume.id:
        return "without a completed snapshot of it"
    if volume.detached_at is None or saved.requested_at <= volume.detached_at:
        return "with a snapshot that was asked for before it was last let go"
    return None


def _kept(case: Case, disk: DiskRow) -> Iterator[Violation]:
    good = [one for one in case.tables.snapshots if one.disk_id == disk.id and one.completed_at is not None]
    newest = max(good, key=lambda one: (one.requested_at, one.id), default=None)
    if newest is not None and _going(newest):
        yield _loses(
            f"the newest good snapshot {newest.id} of disk {disk.name} ({disk.id}) is going", f"newest:{disk.id}"
        )
    source = None if disk.restore_from is None else case.snapshots.get(disk.restore_from)
    if source is not None and _going(source):
        what = f"disk {disk.name} ({disk.id}) is to come back from snapshot {source.id}, which is {source.state}"
        yield _loses(what, f"source:{disk.id}")
    current = None if disk.volume_id is None else case.volumes.get(disk.volume_id)
    if current is not None and current.state in ("deleting", "deleted"):
        yield _loses(
            f"disk {disk.name} ({disk.id}) lives on volume {current.id}, which is {current.state}", f"on:{disk.id}"
        )


def _going(snapshot: SnapshotRow) -> bool:
    return snapshot.state in ("deleting", "deleted")


def everybody_starts_with_their_content(case: Case) -> Iterator[Violation]:
    """I-7: who asked for a disk runs with its newest content, or does not run."""
    for row in case.tables.reservations:
        why = _wrong_content(case, row)
        if why is not None:
            yield _content(f"{row.label} is {row.state} {why}", f"row:{row.id}")
    for backend in case.world.backends:
        for server in backend.servers or ():
            running = case.rows.get(server.server_id.reservation_id)
            if running is None or running.attempt != server.server_id.attempt or server.volume_id is None:
                continue
            if running.state == "active" and running.volume_id != server.volume_id:
                what = f"{server.server_id} has volume {server.volume_id} and should have {running.volume_id}"
                yield _content(what, f"server:{server.server_id}")
    for mount in case.world.record.mounts if case.world.record else ():
        if mount.seen != mount.expected:
            what = f"{mount.server_id} began with {mount.seen!r} on disk {mount.disk_id}, whose content is {mount.expected!r}"
            yield _content(what, f"mount:{mount.server_id}")


def _content(what: str, key: str) -> Violation:
    step = "Tell its owner to stop writing, keep every snapshot of that disk, and report this."
    return Violation(law="I-7", what=what, next_step=step, key=f"I-7:{key}")


def _wrong_content(case: Case, row: ReservationRow) -> str | None:
    if row.wished_disk is not None and row.disk_id is None:
        return f"without the disk {row.wished_disk!r} that was asked for"
    if row.state != "active" or row.disk_id is None:
        return None
    disk = case.disks.get(row.disk_id)
    if row.volume_id is None or disk is None or disk.volume_id != row.volume_id:
        newest: uuid.UUID | None = None if disk is None else disk.volume_id
        return f"on volume {row.volume_id}, and its disk's content is on {newest}"
    return None
