"""The parts of a client that have a name of their own: disks, keys, and what is for the owner of the install."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from msgspec import Struct

from gpudev_sdk.client.api import Api
from gpudev_sdk.client.refs import part
from gpudev_sdk.client.values import Disk, DiskList
from gpudev_sdk.wire.account_views import KeysView, KeyView
from gpudev_sdk.wire.admin_views import AdoptView, BackupView, DoctorView, UsersView, UserView
from gpudev_sdk.wire.bodies import AdoptBody, DiskBody, FileBody, KeyBody, RestoreBody, UserBody, UserChangeBody
from gpudev_sdk.wire.views import SnapshotsView, SnapshotView


class _Disks(Struct, frozen=True, kw_only=True):
    items: list[Disk]


class Disks:
    """One's disks."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self, *, deleted: bool = False) -> DiskList:
        """List one's disks; with `deleted`, also those that can be had back."""
        return DiskList(self._api.get("/disks", _Disks, deleted=deleted or None).items)

    def create(self, name: str, *, size_bytes: int | None = None) -> Disk:
        """Make a disk; its volume comes with its first use."""
        return self._api.post("/disks", Disk, DiskBody(name=name, size_bytes=size_bytes))

    def show(self, name: str) -> Disk:
        """Return one disk; raise NotFound."""
        return self._api.get(f"/disks/{part(name, 'disk')}", Disk)

    def delete(self, name: str) -> Disk | None:
        """Put a disk away; `purge_at` of what is returned says until when it can be had back."""
        gone = self._api.delete(f"/disks/{part(name, 'disk')}", _Disks)
        return gone.items[-1] if gone is not None and gone.items else None

    def undelete(self, name: str) -> Disk:
        """Have a deleted disk back."""
        return self._api.post(f"/disks/{part(name, 'disk')}/undelete", Disk)

    def snapshots(self, name: str) -> Sequence[SnapshotView]:
        """List a disk's snapshots, newest first."""
        return self._api.get(f"/disks/{part(name, 'disk')}/snapshots", SnapshotsView).items

    def snapshot(self, name: str) -> SnapshotView:
        """Ask for a snapshot of an idle disk."""
        return self._api.post(f"/disks/{part(name, 'disk')}/snapshots", SnapshotView)

    def restore(self, name: str, snapshot: str) -> Disk:
        """Have the disk's content be a snapshot's (by id or its beginning) from its next use on."""
        return self._api.post(f"/disks/{part(name, 'disk')}/restore", Disk, RestoreBody(snapshot=snapshot))

    def move(self, name: str) -> Disk:
        """Free an idle disk from its zone: its next box, anywhere in its backend, starts from its newest snapshot."""
        return self._api.post(f"/disks/{part(name, 'disk')}/move", Disk)


class Keys:
    """One's public keys."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Sequence[KeyView]:
        """List one's keys."""
        return self._api.get("/me/keys", KeysView).items

    def add(self, public_key: str, *, name: str | None = None) -> KeyView:
        """Enrol a public key; the same key again changes nothing."""
        return self._api.post("/me/keys", KeyView, KeyBody(public_key=public_key, name=name))

    def remove(self, key_id: uuid.UUID | str) -> None:
        """Take a key away; what it opened is closed within 5 seconds."""
        self._api.delete(f"/me/keys/{part(str(key_id), 'key')}")


class Admin:
    """What only the owner of the install may ask, by the local socket."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def users(self) -> list[UserView]:
        """List everybody."""
        return self._api.get("/admin/users", UsersView).items

    def add_user(self, name: str, *, public_key: str | None = None, is_admin: bool = False) -> UserView:
        """Add a person, with a first key."""
        body = UserBody(name=name, public_key=public_key, is_admin=is_admin)
        return self._api.post("/admin/users", UserView, body)

    def set_disabled(self, name: str, *, disabled: bool) -> UserView:
        """Shut a person out, or let them in again."""
        return self._api.patch(f"/admin/users/{part(name, 'user')}", UserView, UserChangeBody(disabled=disabled))

    def doctor(self) -> DoctorView:
        """Look for what is not as it should be."""
        return self._api.get("/admin/doctor", DoctorView)

    def backup(self, path: str) -> BackupView:
        """Write a backup of the database to a file on the server's machine."""
        return self._api.post("/admin/backup", BackupView, FileBody(path=path))

    def differences(self, backend: str) -> AdoptView:
        """List how a backend and the database differ; `seen` of it goes into `adopt`."""
        return self._api.get(f"/admin/adopt/{part(backend, 'backend')}", AdoptView)

    def adopt(self, backend: str, seen: str) -> AdoptView:
        """Take over a backend, having seen the differences."""
        return self._api.post("/admin/adopt", AdoptView, AdoptBody(backend=backend, seen=seen))
