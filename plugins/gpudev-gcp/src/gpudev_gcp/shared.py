"""Shared folders: each an instance of Filestore, called after our id. https://cloud.google.com/filestore/docs/reference/rest/v1

An instance takes minutes to make and is paid for by its size, of which the smallest is 1 TiB. The handle of a share is
`LOCATION/NAME`.
"""

from __future__ import annotations

import uuid
from typing import Any

from gpudev_gcp import filestore
from gpudev_gcp.apis import address
from gpudev_gcp.errors import ObjectExists
from gpudev_gcp.session import Session
from gpudev_sdk.domain.disk import Mount, MountKind
from gpudev_sdk.errors import ProviderError, TryLater, Unworkable
from gpudev_sdk.providers.shares import SharedStorage, ShareRef, ShareSighting, ShareSpec

_HOST = "file.googleapis.com"
_PAGE = 500
#: What a spec says that leaves the zone to us.
_ANYWHERE = ("", "local")


class FilestoreShares(SharedStorage):
    """A base for storage with a session."""

    _session: Session
    _install: uuid.UUID

    def create_share(self, spec: ShareSpec) -> str:
        found = self._find_share(spec.share_id)
        if found is not None:
            if found["state"] in filestore.GOING:
                raise TryLater("a share of that id is still being removed", delay=10.0)
            if found["state"] in filestore.BROKEN:
                raise Unworkable(
                    f"the share cannot be used: {filestore.reason(found)}", hint="Delete it, and make another."
                )
            return filestore.handle(found)
        name, location = filestore.share_name(self._install, spec.share_id), self._location(spec.zone)
        body = filestore.describe(self._session.settings, self._install, spec)
        try:
            begun = self._ask("make a share", "POST", f"locations/{location}/instances?instanceId={name}", body)
        except ObjectExists:
            # A list may not show yet what was begun a moment ago.
            return f"{location}/{name}"
        filestore.raise_failed(begun, "make a share")
        return f"{location}/{name}"

    def get_share(self, share: ShareRef) -> ShareSighting:
        try:
            found = self._find_share(share.share_id)
        except ProviderError as error:
            return ShareSighting(share_id=share.share_id, presence="unknown", reason=error.message)
        if found is None:
            return ShareSighting(share_id=share.share_id, presence="absent")
        return filestore.see(found, share.share_id)

    def list_shares(self) -> tuple[ShareSighting, ...]:
        ours = {filestore.share_of(each, self._install): each for each in self._instances()}
        return tuple(filestore.see(each, share_id) for share_id, each in ours.items() if share_id is not None)

    def mount_share(self, share: ShareRef) -> Mount:
        found = self._find_share(share.share_id)
        if found is None or found["state"] in filestore.GOING:
            raise Unworkable(f"the share {share.share_id} is not there any more")
        if found["state"] in filestore.BROKEN:
            raise Unworkable(f"the share cannot be used: {filestore.reason(found)}")
        address = filestore.address(found)
        if not address:
            raise TryLater(f"the share {share.share_id} has no address yet", delay=10.0)
        return Mount(
            volume_id=share.share_id,
            disk_id=share.share_id,
            kind=MountKind.CSI,
            source=filestore.source(found),
            shared=True,
            attributes={"ip": address, "volume": found["fileShares"][0]["name"]},
        )

    def delete_share(self, share: ShareRef) -> None:
        found = self._find_share(share.share_id)
        if found is None or found["state"] in filestore.GOING:
            return
        if found["state"] in filestore.COMING:
            raise TryLater("the share is still being made", delay=10.0)
        location, _, name = filestore.handle(found).partition("/")
        begun = self._ask("delete a share", "DELETE", f"locations/{location}/instances/{name}")
        filestore.raise_failed(begun, "delete a share")

    def _find_share(self, share_id: uuid.UUID) -> filestore.Json | None:
        found = [each for each in self._instances() if filestore.share_of(each, self._install) == share_id]
        if len(found) > 1:
            where = ", ".join(sorted(map(filestore.handle, found)))
            raise Unworkable(
                f"there is a share of that id more than once: {where}", hint="Delete the one that is not in use."
            )
        return found[0] if found else None

    def _instances(self) -> list[filestore.Json]:
        """Return all instances of the project; raise TryLater for a list that leaves some out."""
        found: list[filestore.Json] = []
        token, what = "", "list shares"
        while True:
            page = self._ask(what, "GET", f"locations/-/instances?pageSize={_PAGE}&pageToken={token}")
            if page.get("unreachable"):
                missing = ", ".join(map(str, page["unreachable"]))
                raise TryLater(f"cannot {what}: Google cannot see {missing[:200]} now", delay=10.0)
            found += page.get("instances") or []
            token = page.get("nextPageToken") or ""
            if not token:
                return found

    def _ask(self, what: str, verb: str, rest: str, body: Any = None) -> filestore.Json:
        settings = self._session.settings
        url = f"{address(settings, _HOST)}/v1/projects/{settings.project}/{rest}"
        return dict(self._session.rest(what, "file", verb, url, body))

    def _location(self, wanted: str) -> str:
        """Return the zone of a share, or the region of one that is in several."""
        settings = self._session.settings
        zone = wanted if wanted not in _ANYWHERE else next(iter(settings.zones), "")
        place = (
            (zone.rpartition("-")[0] or settings.home_region) if settings.shared_tier in filestore.REGIONAL else zone
        )
        if not place:
            raise Unworkable("it is not said where a share is to be", hint="Say `zones` of the backend.")
        return place
