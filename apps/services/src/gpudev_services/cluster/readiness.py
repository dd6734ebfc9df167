"""Whether a service can do its work: the database answers, and has a schema that this code can use."""

from __future__ import annotations

import threading

import structlog

from gpudev_sdk import clock
from gpudev_sdk.errors import GpudevError, StoreError, Unavailable
from gpudev_sdk.store.migrate import SCHEMA, check_schema, history, needed
from gpudev_sdk.store.pool import Store
from gpudev_services.cluster.ending import Ending

#: Seconds between two looks while the database is away.
PAUSE = 1.0
MIGRATE = "Bring it up to date: gpudev-services migrate."

log = structlog.get_logger()


class Readiness:
    """One service's view of its database."""

    def __init__(self, store: Store, dsn: str) -> None:
        self._store = store
        self._dsn = dsn

    def why_not(self) -> GpudevError | None:
        """Return what is in the way now, or None; asked by the pool that the service itself uses."""
        try:
            with self._store.transaction() as conn:
                recorded = history(conn)
        except Unavailable as error:
            return error
        newest = max(recorded, default=0)
        if newest < SCHEMA:
            # Waiting mends it: the migration of a new version runs beside the first of its services.
            return Unavailable(f"the database has schema {newest}, and this gpudev needs {SCHEMA}", hint=MIGRATE)
        if needed(recorded) > SCHEMA:
            return StoreError(
                f"the database has schema {newest}, and this gpudev knows {SCHEMA} at most",
                hint="Run the version of gpudev that migrated it.",
            )
        return None

    def check(self) -> None:
        """Raise what is in the way; also for a history of migrations that is not this code's."""
        trouble = self.why_not()
        if trouble is not None:
            raise trouble
        check_schema(self._dsn)

    def check_within(self, patience: float) -> None:
        """Raise what is in the way, once that has lasted so long: a database that comes up is waited for."""
        until = clock.monotonic() + patience
        while True:
            try:
                return self.check()
            except Unavailable:
                if clock.monotonic() >= until:
                    raise
            threading.Event().wait(PAUSE)

    def wait(self, ending: Ending) -> bool:
        """Return True once all is well, False when told to end before; raise StoreError for what waiting does not mend."""
        said = ""
        while not ending.over.is_set():
            try:
                self.check()
                return True
            except Unavailable as error:
                if error.message != said:
                    log.warning("waiting for the database", reason=error.message, next_step=error.hint)
                said = error.message
            ending.over.wait(PAUSE)
        return False
