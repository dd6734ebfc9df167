"""Carries the bell from the listener's thread to those who watch on the event loop."""

from __future__ import annotations

import asyncio
import uuid

from gpudev_sdk.store.bell import Ring


class Hub:
    """One event loop's watchers. `ring` may be called from any thread; all else on the loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watchers: dict[asyncio.Event, uuid.UUID] = {}
        self.closing = False

    def bind(self) -> None:
        """Note the loop that the watchers run on."""
        self._loop = asyncio.get_running_loop()

    def ring(self, ring: Ring) -> None:
        """Wake those who watch this row; a change of access wakes everyone."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake, ring)

    def close(self) -> None:
        """Let every watcher end."""
        self.closing = True
        self.ring(Ring("access"))

    def _wake(self, ring: Ring) -> None:
        for event, watched in self._watchers.items():
            if ring.kind in ("access", "plan") or ring.id == watched:
                event.set()

    def watch(self, row_id: uuid.UUID) -> asyncio.Event:
        """Return an event that is set whenever the row may have changed; end it with `unwatch`."""
        event = asyncio.Event()
        self._watchers[event] = row_id
        return event

    def unwatch(self, event: asyncio.Event) -> None:
        """Stop watching."""
        self._watchers.pop(event, None)
