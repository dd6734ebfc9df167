"""Tells listener plugins of reservations' changes: at least once, in order per reservation, off the processor's path.

Each listener has a loop and a cursor of its own, so one that is slow or fails holds up only itself: what it raised is logged,
and the same event is told again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpudev_sdk.domain.reservation import ReservationEvent
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.loop import Loop
from gpudev_sdk.plugins import Plugin
from gpudev_sdk.store.bell import Ring
from gpudev_sdk.store.sql import queries

Q = queries("listeners")
HOOK = "gpudev_reservation_changed"
BATCH = 100
SWEEP = 60.0
#: A running transaction keeps younger events back; they are asked for again soon after a ring.
SOON = 0.5


class Teller:
    """Tells one listener."""

    def __init__(self, engine: Engine, plugin: Plugin) -> None:
        self._engine = engine
        self._plugin = plugin
        self._rung = True
        self.loop = Loop(f"listener-{plugin.name}", self.tell)

    def begin(self) -> None:
        """Remember from where on it is told."""
        with self._engine.store.transaction() as conn:
            conn.execute(Q["begin_listening"], {"name": self._plugin.name})

    def ring(self) -> None:
        """Something changed."""
        self._rung = True
        self.loop.nudge()

    def tell(self) -> float:
        """Tell it what it was not told; return when to look again. What the plugin raises goes through."""
        rung, self._rung = self._rung, False
        wanted = {"name": self._plugin.name, "limit": BATCH}
        with self._engine.store.transaction() as conn:
            rows = conn.execute(Q["untold"], wanted).fetchall()
        for row in rows:
            place = {"name": self._plugin.name, "xid": row.pop("xid"), "number": row["number"]}
            self._plugin.call(HOOK, event=ReservationEvent(**row))
            with self._engine.store.transaction() as conn:
                conn.execute(Q["told"], place)
        return 0.0 if len(rows) == BATCH else SOON if rung else SWEEP


class Telling:
    """All listeners of one process. Run it in one process of an install, or be told twice."""

    def __init__(self, engine: Engine, plugins: Sequence[Plugin]) -> None:
        self._tellers = [Teller(engine, plugin) for plugin in plugins if plugin.implements(HOOK)]

    def start(self) -> None:
        """Begin."""
        for teller in self._tellers:
            teller.begin()
            teller.loop.start()

    def rung(self, ring: Ring) -> None:
        """Be told that something changed; called from any thread."""
        if ring.kind == "reservation":
            for teller in self._tellers:
                teller.ring()

    def stop(self) -> None:
        """End."""
        for teller in self._tellers:
            teller.loop.stop()
