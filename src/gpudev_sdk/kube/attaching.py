"""How many of our volumes each node can have: what its driver says that it can attach, less what is attached there for others.

https://kubernetes.io/docs/reference/kubernetes-api/storage/csi-node-v1/ (`drivers[].allocatable.count`) and
https://kubernetes.io/docs/reference/kubernetes-api/storage/volume-attachment-v1/
"""

from __future__ import annotations

import math
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Mapping

import structlog

from gpudev_sdk import clock
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.kube import names, static
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import ATTACHMENT, CLAIM, CSI_NODE, Json

#: What others have attached changes slowly, and a cluster may have thousands.
LOOK = 60.0
#: What was known is still believed so long while the cluster does not tell.
BELIEVED = 600.0

log = structlog.get_logger()


class Attaching:
    """What one driver can attach on the nodes of a cluster, looked at now and then. Threads may share it.

    One looks and holds up nobody: who asks meanwhile is told what was known before, and waits only while nothing was.
    """

    def __init__(self, api: Api, install: uuid.UUID, driver: str) -> None:
        self._api, self._install, self._driver = api, install, driver
        self._looking = threading.Lock()
        self._known: Mapping[str, int] | None = None
        self._looked = self._told = -math.inf
        self._trouble = ""

    def volumes(self) -> Mapping[str, int]:
        """Return how many volumes of ours each node can have; a node is left out if that is not known. Never raises."""
        if not self._driver:
            return {}
        if self._is_due() and self._looking.acquire(blocking=self._known is None):
            try:
                # Who waited for another's look needs none.
                if self._is_due():
                    self._look()
            finally:
                self._looking.release()
        return self._known or {}

    def _is_due(self) -> bool:
        return clock.monotonic() - self._looked >= LOOK

    def _look(self) -> None:
        now = clock.monotonic()
        try:
            nodes, attachments = self._api.list(CSI_NODE).items, self._api.list(ATTACHMENT).items
            claims = self._api.list(CLAIM, names.selector(self._install, "disk")).items
        except ProviderError as error:
            self._note(error.message, now)
        else:
            bound = {str((claim.get("spec") or {}).get("volumeName")) for claim in claims}
            self._known = count(self._driver, nodes, _others(self._install, attachments, bound))
            self._told, self._trouble = now, ""
        # Last: from here on nobody waits, so what was seen must be there.
        self._looked = now

    def _note(self, trouble: str, now: float) -> None:
        """Go on with what was known for a while; a cluster that never tells has no limit that is known."""
        if trouble != self._trouble:
            log.warning("how many volumes nodes can have is not seen", driver=self._driver, reason=trouble)
        self._trouble = trouble
        if now - self._told >= BELIEVED:
            self._known = {}


def count(driver: str, nodes: list[Json], attachments: list[Json]) -> dict[str, int]:
    """Return what each node has room for beside these attachments, where its driver says how many it can attach."""
    taken = Counter(str(each["spec"].get("nodeName")) for each in attachments if each["spec"].get("attacher") == driver)
    return {
        name: max(0, limit - taken[name])
        for node in nodes
        if (limit := _limit(driver, node)) is not None and (name := str(node["metadata"]["name"]))
    }


def _limit(driver: str, node: Json) -> int | None:
    drivers = (node.get("spec") or {}).get("drivers") or []
    found: Json = next((each for each in drivers if each.get("name") == driver), {})
    limit = (found.get("allocatable") or {}).get("count")
    return None if limit is None else int(limit)


def _others(install: uuid.UUID, attachments: list[Json], bound: Collection[str]) -> list[Json]:
    """Return the attachments that are not of our volumes: those are counted by who has them, which is known sooner."""
    return [each for each in attachments if not _is_ours(install, _volume(each), bound)]


def _volume(attachment: Json) -> str:
    return str((attachment["spec"].get("source") or {}).get("persistentVolumeName") or "")


def _is_ours(install: uuid.UUID, volume: str, bound: Collection[str]) -> bool:
    made = volume.startswith(names.prefix(install)) and volume.endswith(static.SUFFIX)
    return made or (volume != "" and volume in bound)
