"""Has the listeners of an install told by one of its processors, whichever holds a lock of the database."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.listeners import HOOK, Telling
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.plugins import Plugin
from gpudev_sdk.store.bell import Ring

LOCK = 7205761
#: Seconds between two signs of life in the transaction that holds the lock, and between two tries to get it.
SIGN = 5.0

log = structlog.get_logger()


class OneTeller:
    """Tells while it holds the lock. After a lost connection two may for a moment: at least once is the rule."""

    def __init__(self, engine: Engine, plugins: Sequence[Plugin]) -> None:
        self._engine = engine
        self._plugins = [plugin for plugin in plugins if plugin.implements(HOOK)]
        self._over = threading.Event()
        self._telling: Telling | None = None
        self._thread = threading.Thread(target=self._run, name="telling", daemon=True)

    def start(self) -> None:
        """Begin, if there is anybody to tell."""
        if self._plugins:
            self._thread.start()

    def rung(self, ring: Ring) -> None:
        """Be told that something changed; called from any thread."""
        telling = self._telling
        if telling is not None:
            telling.rung(ring)

    def stop(self) -> None:
        """End, and let another begin."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(SIGN)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._hold()
            except Unavailable as error:
                log.warning("listeners are not told for now", reason=error.message)
            self._over.wait(SIGN)

    def _hold(self) -> None:
        """Tell for as long as the lock is ours: it ends with its transaction.

        That one writes nothing, and each sign of life is a statement with a snapshot of its own, so it holds up no cleaning.
        """
        with self._engine.store.transaction() as conn:
            row = conn.execute("SELECT pg_try_advisory_xact_lock(%s) AS ours", (LOCK,)).fetchone()
            if row is None or not row["ours"]:
                return
            telling = Telling(self._engine, self._plugins)
            telling.start()
            self._telling = telling
            try:
                while not self._over.wait(SIGN):
                    conn.execute("SELECT 1")
            finally:
                self._telling = None
                telling.stop()
