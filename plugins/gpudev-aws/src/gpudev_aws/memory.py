"""What this process made and saw lately, because EC2 may for a while not show what was just made.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import threading
import uuid

import attrs

#: After this long, what is not shown is not there.
LAG = 30.0
#: How long it is remembered that something is gone.
_GONE = 3600.0
#: Two looks further apart are not one question; something may have been made and gone unseen in between.
_FORGETTING = 3 * LAG


@attrs.define
class _Known:
    handle: str | None
    at: float
    #: When it was first missed, and last.
    missed: tuple[float, float] | None = None


class Memory:
    """Volumes or snapshots by our ids. `now` is a monotonic clock's; threads may share it."""

    def __init__(self) -> None:
        self._known: dict[uuid.UUID, _Known] = {}
        #: When something was found to be gone, and its handle if that was not our own doing.
        self._gone: dict[uuid.UUID, tuple[float, str | None]] = {}
        self._lock = threading.Lock()

    def see(self, key: uuid.UUID, handle: str | None, now: float) -> None:
        """Note that a thing is there, or may be: it was shown, or made, or asked for with the answer lost (no handle)."""
        with self._lock:
            self._gone.pop(key, None)
            self._known[key] = _Known(handle, now)

    def forget(self, key: uuid.UUID, now: float) -> None:
        """Note that a thing is not there by our own doing: it was deleted, or never made."""
        with self._lock:
            self._drop(key, None, now)

    def handle(self, key: uuid.UUID) -> str | None:
        """Return the cloud's handle, if this process ever knew it."""
        known = self._known.get(key)
        return None if known is None else known.handle

    def vanished(self, key: uuid.UUID) -> str | None:
        """Return the handle of what was there and is gone by somebody else's doing."""
        return self._gone.get(key, (0.0, None))[1]

    def is_missing(self, key: uuid.UUID, now: float, handle: str | None = None) -> bool:
        """Note a look that did not show a thing, and say whether it is not there. A handle says that it once was."""
        with self._lock:
            known = self._known.get(key)
            if known is None:
                if handle is None or key in self._gone:
                    return True
                known = self._known[key] = _Known(handle, now - LAG)
            first, last = known.missed or (now, now)
            first = now if now - last > _FORGETTING else first
            known.missed = (first, now)
            if now - known.at < LAG or now - first < LAG:
                return False
            self._drop(key, known.handle, now)
            return True

    def doubted(self, shown: set[uuid.UUID], now: float) -> tuple[uuid.UUID, ...]:
        """Return what a list did not show and which may be there nevertheless."""
        missing = [key for key in tuple(self._known) if key not in shown]
        return tuple(key for key in missing if not self.is_missing(key, now))

    def _drop(self, key: uuid.UUID, handle: str | None, now: float) -> None:
        self._known.pop(key, None)
        self._gone = {each: gone for each, gone in self._gone.items() if now - gone[0] < _GONE} | {key: (now, handle)}
