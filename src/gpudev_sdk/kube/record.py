"""The record of a server: made before anything else of it, owner of all the rest, and what a box starts with.

When a server is ended, its record goes and takes along what it owns. A tombstone takes its place and its name for an hour: a
launch that comes late finds the name taken, and need not ask before.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import uuid

import structlog

from gpudev_sdk import clock
from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectChanged, ObjectExists
from gpudev_sdk.kube.kinds import CONFIG_MAP, Json
from gpudev_sdk.kube.pod import BOOT_FILES

#: How long a tombstone stays, and how often we look for older ones.
STAYS, SWEEP = dt.timedelta(hours=1), 60.0
ENDED_AT = f"{names.PREFIX}/ended-at"
#: Buried servers that are remembered here, so that one end is written down once.
_REMEMBERED = 4096
#: How often a record is found in the place of a tombstone before somebody else is left to remove it.
_TRIES, _SOON = 3, 0.5

#: Annotations.
Notes = dict[str, str]

log = structlog.get_logger()


class Records:
    """Records and tombstones of one install."""

    def __init__(self, api: Api, install: uuid.UUID) -> None:
        self._api, self._install = api, install
        self._buried: dict[ServerId, None] = {}
        self._swept = clock.monotonic()

    def begin(self, server_id: ServerId, data: dict[str, str], notes: dict[str, str] | None = None) -> Json | None:
        """Write down that a server is launched, or find that it was; return the record, or None for one that was ended."""
        name = names.server_name(self._install, server_id)
        labels = names.server_labels(self._install, server_id)
        metadata = {"name": name, "labels": labels, "annotations": notes or {}}
        try:
            return self._api.create(CONFIG_MAP, CONFIG_MAP.body(metadata, data=data))
        except ObjectExists:
            found = self._api.find(CONFIG_MAP, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise TryLater("the server's last traces are being removed", delay=1.0)
        return None if _is_grave(found) else found

    def find(self, server_id: ServerId) -> Json | None:
        """Return a server's record, or its tombstone."""
        return self._api.find(CONFIG_MAP, names.server_name(self._install, server_id))

    def is_known_buried(self, server_id: ServerId) -> bool:
        """Say whether a server was ended by this process; `begin` finds out about others."""
        return server_id in self._buried

    def is_buried(self, server_id: ServerId) -> bool:
        """Say whether a server was ended, also when it was never launched."""
        if self.is_known_buried(server_id):
            return True
        found = self.find(server_id)
        return found is not None and _is_grave(found)

    def bury(
        self, server_id: ServerId, now: dt.datetime, record: str | None = None, notes: Notes | None = None
    ) -> None:
        """Write down that a server was ended, also one that was never launched, in the place of its record.

        `record` is the uid of that, where it is known; what it owns is removed by the cluster.
        """
        if server_id in self._buried:
            return
        for _ in range(_TRIES):
            if record is not None:
                self._remove(server_id, record)
            found = self._make_grave(server_id, now, notes or {})
            if found is None or _is_grave(found):
                break
            record, notes = found["metadata"]["uid"], found["metadata"].get("annotations")
        else:
            raise TryLater("the server's record is still being removed", delay=1.0)
        if len(self._buried) >= _REMEMBERED:
            self._buried.clear()
        self._buried[server_id] = None

    def _remove(self, server_id: ServerId, uid: str) -> None:
        name = names.server_name(self._install, server_id)
        try:
            self._api.delete(CONFIG_MAP, name, uid=uid)
        except ObjectChanged:
            log.debug("a record is not the one it was taken for", name=name)

    def _make_grave(self, server_id: ServerId, now: dt.datetime, notes: Notes) -> Json | None:
        """Make a tombstone, or return what is there of that name."""
        labels = names.server_labels(self._install, server_id) | {names.PART: "end"}
        name = names.server_name(self._install, server_id)
        kept = {key: notes[key] for key in (names.STATIC,) if key in notes}
        metadata = {"name": name, "labels": labels, "annotations": kept | {ENDED_AT: now.isoformat()}}
        try:
            self._api.create(CONFIG_MAP, CONFIG_MAP.body(metadata))
        except ObjectExists:
            found = self.find(server_id)
            if found is None:
                raise TryLater("the server's record is just being removed", delay=_SOON) from None
            return found
        return None

    def servers(self) -> set[ServerId]:
        """Return the servers that have a record."""
        records = self._api.list(CONFIG_MAP, names.selector(self._install, "server")).items
        return {server for record in records if (server := names.server_of(record)) is not None}

    def sweep(self, now: dt.datetime) -> None:
        """Remove tombstones that are an hour old; looks once a minute."""
        if clock.monotonic() - self._swept < SWEEP:
            return
        self._swept = clock.monotonic()
        for grave in self._api.list(CONFIG_MAP, names.selector(self._install, "end")).items:
            ended = (grave["metadata"].get("annotations") or {}).get(ENDED_AT)
            if ended is not None and now - dt.datetime.fromisoformat(ended) > STAYS:
                self._api.delete(CONFIG_MAP, grave["metadata"]["name"], uid=grave["metadata"]["uid"])


def _is_grave(found: Json) -> bool:
    return (found["metadata"].get("labels") or {}).get(names.PART) == "end"


def boot_files() -> dict[str, str]:
    """Return the scripts with which every box begins."""
    folder = importlib.resources.files("gpudev_sdk.kube") / "boot"
    return {name: (folder / name).read_text(encoding="utf-8") for name in BOOT_FILES}
