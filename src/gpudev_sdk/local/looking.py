"""Says what is there of one box, from what is written down, who lives, and which locks are held."""

from __future__ import annotations

import datetime as dt
import pathlib
import time

from gpudev_sdk.domain.server import Phase, Presence, ServerId, Sighting
from gpudev_sdk.local import identity, marked, runfiles, sockets
from gpudev_sdk.local.boxes import ENDED, INIT, SUPERVISOR, Box, Intent, Shelf
from gpudev_sdk.local.isolation import SANDBOX

_GREETING_WITHIN = 0.2
#: A box that greeted is not asked again for this long.
_TRUSTED_FOR = 2.0


class Watchman:
    """Looks at boxes, and remembers for a moment which of them answered."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._greeted: dict[ServerId, float] = {}

    def observe(self, server_id: ServerId, boot: str) -> Sighting:
        """Return what is there of a box."""
        box = self._shelf.find(server_id)
        buried = self._shelf.is_buried(server_id)
        if box is None:
            self._greeted.pop(server_id, None)
            return Sighting.absent("ended" if buried else "never started")
        seen = self._see(box, boot)
        if buried and seen.presence is Presence.ABSENT:
            return _finished("what it left is being removed")
        return seen

    def _see(self, box: Box, boot: str) -> Sighting:
        intent = box.intent()
        if intent is None:
            return Sighting.absent("never started") if box.is_quiet() else _starting("making its folder")
        if intent.boot != boot:
            return Sighting.absent("the machine restarted", rebooted=True)
        return self._present(box, intent, boot)

    def _present(self, box: Box, intent: Intent, boot: str) -> Sighting:
        init = box.process(INIT)
        if init is not None and identity.is_alive(init, boot):
            return self._living(box, intent)
        if box.read(ENDED) is not None:
            return _finished(_how_it_ended(box))
        if not box.is_quiet():
            return _starting("making its sandbox" if init is None else "it ended; how is being noted")
        if box.read(SUPERVISOR) is None:
            return Sighting.absent("its start was cut short")
        if intent.isolation != SANDBOX and marked.pids_of(box.run):
            return _finished("some of its processes are left")
        return _finished(_how_it_ended(box))

    def _living(self, box: Box, intent: Intent) -> Sighting:
        digest = runfiles.digest_of(box.run)
        endpoint = f"unix:{intent.socket}"
        if not box.ready.exists() or not box.ready.stat().st_size:
            return _starting("starting its SSH server")
        if not self._answers(box.server_id, pathlib.Path(intent.socket)):
            return Sighting(
                presence=Presence.PRESENT,
                phase=Phase.STARTING,
                reason="its SSH server does not answer",
                endpoint=endpoint,
                files_digest=digest,
            )
        return Sighting(
            presence=Presence.PRESENT,
            phase=Phase.READY,
            endpoint=endpoint,
            files_digest=digest,
            started_at=_started_at(box),
        )

    def _answers(self, server_id: ServerId, socket: pathlib.Path) -> bool:
        if time.monotonic() - self._greeted.get(server_id, float("-inf")) < _TRUSTED_FOR:
            return True
        if not sockets.greets(socket, _GREETING_WITHIN):
            self._greeted.pop(server_id, None)
            return False
        self._greeted[server_id] = time.monotonic()
        return True


def _starting(reason: str) -> Sighting:
    return Sighting(presence=Presence.PRESENT, phase=Phase.STARTING, reason=reason)


def _finished(reason: str) -> Sighting:
    return Sighting(presence=Presence.PRESENT, phase=Phase.FINISHED, reason=reason)


def _started_at(box: Box) -> dt.datetime | None:
    record = box.read(INIT)
    return None if record is None else dt.datetime.fromtimestamp(record["started_at"], dt.UTC)


def _how_it_ended(box: Box) -> str:
    record = box.read(ENDED)
    if record is None:
        return "it ended, and so did its supervisor"
    return f"it ended: {record['reason']}" + (f"; its log says: {record['log']}" if record["log"] else "")
