"""Shares in one EFS file system: each an access point of its own, which shows one directory as if it were all there is.

https://docs.aws.amazon.com/efs/latest/ug/efs-access-points.html
https://docs.aws.amazon.com/efs/latest/ug/API_CreateAccessPoint.html
EFS removes no directories: a deleted share is an access point that is gone, so nobody gets at its files by gpudev any more, and
the files stay (and cost) until somebody removes `/gpudev/INSTALL/SHARE` on a machine that mounts the whole file system.
"""

from __future__ import annotations

import contextlib
import uuid

from gpudev_aws import tags
from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_aws.tags import Json
from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import Conflict, MissingAbility, ProviderError, TryLater, Unworkable
from gpudev_sdk.providers.shares import SharedStorage, ShareRef, ShareSighting, ShareSpec

#: As the driver is registered: https://docs.aws.amazon.com/eks/latest/userguide/efs-csi.html
DRIVER = "efs.csi.aws.com"
SHARE = "gpudev:share"
#: EFS acts as this user and the owner's number for everybody who comes by the access point, whoever they are in their box.
FIRST_USER = 100_000
_PAGE = 100
_GONE, _READY = "deleted", "available"


class EfsShares(SharedStorage):
    """What a storage class of AWS takes in to have shares; it has to have the three below."""

    session: Session
    _settings: AwsSettings
    _install: uuid.UUID

    def create_share(self, spec: ShareSpec) -> str:
        file_system = self._file_system
        found = self._find(ShareRef(share_id=spec.share_id))
        if found is not None:
            return str(found["AccessPointId"])
        try:
            made = self._efs.one("make the share", "create_access_point", **self._request(spec, file_system))
        except Conflict as error:
            # By somebody who asked at the same time, or by us before, and it is not listed yet.
            raise TryLater("EFS is making the share already", delay=1.0) from error
        return str(made["AccessPointId"])

    def get_share(self, share: ShareRef) -> ShareSighting:
        try:
            found = self._find(share)
        except ProviderError as error:
            return ShareSighting(share_id=share.share_id, presence="unknown", reason=error.message)
        return ShareSighting(share_id=share.share_id, presence="absent") if found is None else _see(found)

    def list_shares(self) -> tuple[ShareSighting, ...]:
        return tuple(_see(each) for each in self._all() if tags.id_in(each, SHARE) is not None)

    def mount_share(self, share: ShareRef) -> Mount:
        found = self._find(share)
        if found is None:
            raise Unworkable(f"the share {share.share_id} is not there", hint="Make it first, or leave it out.")
        if found["LifeCycleState"] != _READY:
            raise TryLater(f"the share {share.share_id} is {found['LifeCycleState']}")
        source = f"{DRIVER}/{found['FileSystemId']}::{found['AccessPointId']}"
        return Mount(volume_id=share.share_id, disk_id=share.share_id, kind=MountKind.CSI, source=source, shared=True)

    def delete_share(self, share: ShareRef) -> None:
        found = self._find(share)
        if found is not None:
            with contextlib.suppress(Absent):
                self._efs.one("delete the share", "delete_access_point", AccessPointId=found["AccessPointId"])

    def _find(self, share: ShareRef) -> Json | None:
        """Return the access point of a share: the handle's if its tags say so, else the one among all that they say it of."""
        if share.handle is not None:
            with contextlib.suppress(Absent):
                near = self._listed(AccessPointId=share.handle)
                if near and tags.id_in(near[0], SHARE) == share.share_id:
                    return near[0]
        return next((each for each in self._all() if tags.id_in(each, SHARE) == share.share_id), None)

    def _all(self) -> list[Json]:
        return self._listed(FileSystemId=self._file_system)

    def _listed(self, **which: str) -> list[Json]:
        """Return those of some access points that are ours."""
        listed = self._efs.list("see the shares", "describe_access_points", "AccessPoints", _PAGE, **which)
        return [
            each
            for each in listed
            if tags.id_in(each, tags.INSTALL) == self._install
            and each["FileSystemId"] == self._file_system
            and each["LifeCycleState"] != _GONE
        ]

    def _request(self, spec: ShareSpec, file_system: str) -> Json:
        user = FIRST_USER + spec.owner_number
        named = {
            **self._settings.tags,
            "Name": f"gpudev share {spec.share_id}",
            tags.INSTALL: str(self._install),
            SHARE: str(spec.share_id),
            tags.OWNER: str(spec.owner_number),
        }
        return {
            "ClientToken": str(spec.share_id),
            "FileSystemId": file_system,
            "PosixUser": {"Uid": user, "Gid": user},
            "RootDirectory": {
                "Path": f"/gpudev/{self._install}/{spec.share_id}",
                "CreationInfo": {"OwnerUid": user, "OwnerGid": user, "Permissions": "0700"},
            },
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(named.items())],
        }

    @property
    def _file_system(self) -> str:
        if not self._settings.shared_file_system:
            hint = "Set `shared_file_system` of the backend to an EFS file system with a mount target in each zone."
            raise MissingAbility("this backend has no file system for shares", hint=hint)
        return self._settings.shared_file_system

    @property
    def _efs(self) -> Calls:
        return Calls(self.session, "efs")


def _see(found: Json) -> ShareSighting:
    state = found["LifeCycleState"]
    return ShareSighting(
        share_id=uuid.UUID(tags.read(found)[SHARE]),
        presence="present",
        ready=state == _READY,
        handle=found["AccessPointId"],
        reason="" if state == _READY else f"EFS says that it is {state}",
    )
