"""The record of a server: made before anything else of it, owner of all the rest, and what a box starts with.

When a server has ended, its record goes and takes along what it owns; a tombstone stays for an hour, which `launch` reads.
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
from gpudev_sdk.kube.errors import ObjectExists
from gpudev_sdk.kube.kinds import CONFIG_MAP, Json
from gpudev_sdk.kube.pod import BOOT_FILES

#: How long a tombstone stays, and how often we look for older ones.
STAYS, SWEEP = dt.timedelta(hours=1), 60.0
ENDED_AT = f"{names.PREFIX}/ended-at"
#: Buried servers that are remembered here, so that one end is written down once.
_REMEMBERED = 4096

log = structlog.get_logger()


class Records:
    """Records and tombstones of one install."""

    def __init__(self, api: Api, install: uuid.UUID) -> None:
        self._api, self._install = api, install
        self._buried: dict[ServerId, None] = {}
        self._swept = clock.monotonic()

    def begin(self, server_id: ServerId, data: dict[str, str], notes: dict[str, str] | None = None) -> Json:
        """Write down that a server is launched, or find that it was; return the record."""
        name = names.server_name(self._install, server_id)
        labels = names.server_labels(self._install, server_id)
        metadata = {"name": name, "labels": labels, "annotations": notes or {}}
        try:
            return self._api.create(CONFIG_MAP, CONFIG_MAP.body(metadata, data=data))
        except ObjectExists:
            found = self._api.find(CONFIG_MAP, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise TryLater("the server's last traces are being removed", delay=1.0)
        return found

    def find(self, server_id: ServerId) -> Json | None:
        """Return a server's record."""
        return self._api.find(CONFIG_MAP, names.server_name(self._install, server_id))

    def is_buried(self, server_id: ServerId) -> bool:
        """Say whether a server was ended, also when it was never launched."""
        if server_id in self._buried:
            return True
        return self._api.find(CONFIG_MAP, self._grave(server_id)) is not None

    def bury(self, server_id: ServerId, now: dt.datetime) -> None:
        """Write down that a server was ended."""
        if server_id in self._buried:
            return
        labels = names.server_labels(self._install, server_id) | {names.PART: "end"}
        metadata = {"name": self._grave(server_id), "labels": labels, "annotations": {ENDED_AT: now.isoformat()}}
        try:
            self._api.create(CONFIG_MAP, CONFIG_MAP.body(metadata))
        except ObjectExists:
            log.debug("a server is ended again", server=str(server_id))
        if len(self._buried) >= _REMEMBERED:
            self._buried.clear()
        self._buried[server_id] = None

    def clear(self, server_id: ServerId) -> None:
        """Remove a server's record, and with it what it owns."""
        self._api.delete(CONFIG_MAP, names.server_name(self._install, server_id))

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

    def _grave(self, server_id: ServerId) -> str:
        return names.server_name(self._install, server_id) + names.END_SUFFIX


def boot_files() -> dict[str, str]:
    """Return the scripts with which every box begins."""
    folder = importlib.resources.files("gpudev_sdk.kube") / "boot"
    return {name: (folder / name).read_text(encoding="utf-8") for name in BOOT_FILES}
