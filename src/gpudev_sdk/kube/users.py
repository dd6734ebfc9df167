"""Who uses a claim, as a copy of pods has it; and which claims the copy saw their last user leave.

A copy may lack a pod that somebody made a moment ago, so that it lacks users says little. That it saw the last one go says more:
nobody used the claim then, and whoever comes next has to be given the disk first.
"""

from __future__ import annotations

import threading

from gpudev_sdk import clock
from gpudev_sdk.kube import disks
from gpudev_sdk.kube.kinds import Json

#: That the last user was seen to go is believed for so long.
HOLDS = 60.0
_REMEMBERED = 4096


class Departures:
    """The claims whose last user went a moment ago. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, float] = {}

    def take(self, before: Json | None, now: Json | None) -> None:
        """Be told of a pod of the copy: as it was, and as it is; None if it is not there."""
        gone, come = _used(before) - _used(now), _used(now)
        if not gone and not come:
            return
        with self._lock:
            if len(self._left) >= _REMEMBERED:
                self._left.clear()
            for claim in come:
                self._left.pop(claim, None)
            for claim in gone:
                self._left[claim] = clock.monotonic()

    def saw_last_of(self, claim: str) -> bool:
        """Say whether a user of a claim was seen to go within the last minute, and none to come since."""
        with self._lock:
            left = self._left.get(claim)
        return left is not None and clock.monotonic() - left < HOLDS


def _used(pod: Json | None) -> frozenset[str]:
    return frozenset(disks.claims_of(pod)) if pod is not None and disks.may_use(pod) else frozenset()
