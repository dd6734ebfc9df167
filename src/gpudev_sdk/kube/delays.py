"""Why a box that should be up is not: the newest warning that the cluster wrote down about its pod.

A pod's own object says nothing of a disk that cannot be mounted; its events do. They are asked for seldom, and only of pods that
take long: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import datetime as dt

import attrs
import structlog

from gpudev_sdk import clock
from gpudev_sdk.domain.server import Phase, Sighting
from gpudev_sdk.errors import ProviderError
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import EVENT, Json
from gpudev_sdk.kube.seeing import STEPS

#: A pod that is younger is only on its way.
LONG = dt.timedelta(seconds=10)
#: An answer holds for so long.
HOLDS = 5.0
_REMEMBERED = 1024

log = structlog.get_logger()


class Delays:
    """The warnings of pods that take long."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._told: dict[str, tuple[float, str]] = {}

    def explain(self, pod: Json, seen: Sighting, now: dt.datetime) -> Sighting:
        """Return the sighting, with a reason that says more where its pod takes long and the cluster says why."""
        made = dt.datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
        if seen.phase is not Phase.STARTING or seen.reason not in STEPS or now - made < LONG:
            return seen
        why = self._why(pod["metadata"]["uid"])
        return attrs.evolve(seen, reason=f"{seen.reason}: {why}"[:400]) if why else seen

    def _why(self, uid: str) -> str:
        asked, why = self._told.get(uid, (-HOLDS, ""))
        if clock.monotonic() - asked < HOLDS:
            return why
        try:
            events = self._api.list(EVENT, fields=f"involvedObject.uid={uid},type=Warning").items
        except ProviderError as error:
            log.debug("the events of a pod cannot be told", uid=uid, reason=error.message)
            return why
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        newest = max(events, key=_moment, default={})
        self._told[uid] = clock.monotonic(), str(newest.get("message") or "")
        return self._told[uid][1]


def _moment(event: Json) -> str:
    """Return when an event was last seen; all these times are in UTC, and of one form."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
