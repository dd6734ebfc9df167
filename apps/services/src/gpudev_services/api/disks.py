"""Routes of disks and their snapshots."""

from __future__ import annotations

from litestar import Response, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from gpudev_sdk.engine import disk_edits, disk_leave, show
from gpudev_sdk.wire.bodies import DiskBody, RestoreBody
from gpudev_sdk.wire.views import DisksView, DiskView, SnapshotsView, SnapshotView
from gpudev_services.api.desk import TheDesk, Who
from gpudev_services.api.rates import WRITE


@get("/disks", sync_to_thread=True)
def list_disks(desk: TheDesk, who: Who, deleted: FromQuery[bool] = False) -> DisksView:
    """List one's own disks; with `deleted`, also those that can be had back."""
    return DisksView(items=show.disk_views(desk.engine, who.user, deleted=deleted))


@post("/disks", status_code=201, sync_to_thread=True)
def create_disk(desk: TheDesk, who: Who, data: JSONBody[DiskBody]) -> DiskView:
    """Make a disk; its volume comes with its first use."""
    desk.rates.take(WRITE, str(who.user.id))
    disk_edits.create(desk.engine, who.user, data.name, data.size_bytes)
    return show.disk_view(desk.engine, who.user, data.name)


@get("/disks/{name:str}", sync_to_thread=True)
def show_disk(desk: TheDesk, who: Who, name: FromPath[str]) -> DiskView:
    """Show one disk."""
    return show.disk_view(desk.engine, who.user, name)


@delete("/disks/{name:str}", status_code=200, sync_to_thread=True)
def delete_disk(desk: TheDesk, who: Who, name: FromPath[str]) -> Response[DisksView]:
    """Put a disk away; it can be had back for a month."""
    desk.rates.take(WRITE, str(who.user.id))
    disk_edits.delete(desk.engine, who.user, name)
    gone = [disk for disk in show.disk_views(desk.engine, who.user, deleted=True, name=name) if disk.deleted_at]
    return Response(DisksView(items=gone), status_code=200)


@post("/disks/{name:str}/undelete", status_code=200, sync_to_thread=True)
def undelete_disk(desk: TheDesk, who: Who, name: FromPath[str]) -> DiskView:
    """Have a deleted disk back."""
    desk.rates.take(WRITE, str(who.user.id))
    disk_edits.undelete(desk.engine, who.user, name)
    return show.disk_view(desk.engine, who.user, name)


@get("/disks/{name:str}/snapshots", sync_to_thread=True)
def list_snapshots(desk: TheDesk, who: Who, name: FromPath[str]) -> SnapshotsView:
    """List a disk's snapshots, newest first."""
    return SnapshotsView(items=show.snapshot_views(desk.engine, who.user, name))


@post("/disks/{name:str}/snapshots", status_code=202, sync_to_thread=True)
def take_snapshot(desk: TheDesk, who: Who, name: FromPath[str]) -> SnapshotView:
    """Ask for a snapshot of an idle disk."""
    desk.rates.take(WRITE, str(who.user.id))
    made = disk_edits.snapshot(desk.engine, who.user, name)
    return next(found for found in show.snapshot_views(desk.engine, who.user, name) if found.id == made)


@post("/disks/{name:str}/restore", status_code=200, sync_to_thread=True)
def restore(desk: TheDesk, who: Who, name: FromPath[str], data: JSONBody[RestoreBody]) -> DiskView:
    """Have the disk's content be a snapshot's from its next use on."""
    desk.rates.take(WRITE, str(who.user.id))
    disk_edits.restore(desk.engine, who.user, name, data.snapshot)
    return show.disk_view(desk.engine, who.user, name)


@post("/disks/{name:str}/move", status_code=202, sync_to_thread=True)
def move_disk(desk: TheDesk, who: Who, name: FromPath[str]) -> DiskView:
    """Free a disk from its zone, so that its next box can be in any of its backend: it comes from the newest snapshot then."""
    desk.rates.take(WRITE, str(who.user.id))
    disk_leave.leave(desk.engine, who.user, name)
    return show.disk_view(desk.engine, who.user, name)


ROUTES = [
    list_disks,
    create_disk,
    show_disk,
    delete_disk,
    undelete_disk,
    list_snapshots,
    take_snapshot,
    restore,
    move_disk,
]
