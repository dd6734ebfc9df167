"""The claim on each backend: found out at start, raised before effects, so that a restored or copied database does no harm.

Our table is raised first and the backend's record follows, so the backend is never ahead of a database that is its own.
"""

from __future__ import annotations

import threading

import structlog

from gpudev_sdk import clock, fault
from gpudev_sdk.domain.server import Claim
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import Conflict, Paused, TryLater
from gpudev_sdk.store import bell, fleet
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.rows import Conn, Row

#: Effects need a claim that was raised at most this long ago.
FRESH = 10.0
log = structlog.get_logger()
NEXT_STEP = "Look at the differences with `gpudev admin adopt BACKEND`."


class Claims:
    """One control plane's hold on its backends; shared by its processors."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._raised: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self) -> dict[str, str]:
        """Compare every backend's claim with our table and raise it; return those that are paused, and why."""
        paused = {}
        for backend in self._engine.backends.values():
            try:
                self._raise(backend)
            except Paused as why:
                paused[backend.name] = why.message
            except TryLater as error:
                # Whoever acts there asks again, and does nothing before the claim is raised.
                log.warning("who controls a backend cannot be told yet", backend=backend.name, reason=error.message)
        return paused

    def before_effect(self, name: str | None) -> None:
        """Return when effects on the backend are lawful now; raise Paused otherwise."""
        backend = self._engine.backend(name)
        with self._lock:
            if clock.monotonic() - self._raised.get(backend.name, -FRESH) < FRESH:
                return
            self._raise(backend)

    def _raise(self, backend: Backend, *, was_written: bool = False) -> None:
        """Raise both sides. `was_written`: it was known before this look that the backend holds a claim of ours."""
        seen = backend.compute.read_claim()
        why, epoch = None, 0
        with self._engine.store.transaction("record-claim") as conn:
            ours = fleet.find_claim(conn, backend.name, lock=True)
            written = ours is not None and ours["written_at"] is not None
            look_again = seen is None and written and not was_written
            if not look_again:
                why = mismatch(self._engine, ours, seen)
                if why is not None:
                    self._pause(conn, backend, ours, why)
                else:
                    epoch = max(ours["epoch"] if ours else 0, seen.epoch if seen else 0) + 1
                    fleet.put_claim(conn, backend.name, self._engine.control_plane_id, epoch)
        if look_again:
            # Another process of ours may have written the first one between our look and our transaction.
            return self._raise(backend, was_written=True)
        if why is not None:
            raise Paused(f"{backend.name}: {why}", hint=NEXT_STEP)
        self._write(backend, epoch, seen)
        if not written:
            with self._engine.store.transaction("record-claim-written") as conn:
                conn.execute(fleet.Q["claim_written"], {"backend": backend.name})
        self._raised[backend.name] = clock.monotonic()
        return None

    def _pause(self, conn: Conn, backend: Backend, ours: Row | None, why: str) -> None:
        """Stop all effects there. Tokens of a database that is not the world's are void at once, and for good."""
        if ours is None or ours["paused"] is None:
            conn.execute(fleet.Q["new_era"])
        fields = {"backend": backend.name, "control_plane_id": self._engine.control_plane_id, "why": why}
        conn.execute(fleet.Q["pause"], fields)
        bell.ring(conn, "access")

    def _write(self, backend: Backend, epoch: int, expected: Claim | None) -> None:
        claim = Claim(install_id=self._engine.install_id, control_plane_id=self._engine.control_plane_id, epoch=epoch)
        try:
            with fault.step("write-claim"):
                backend.compute.write_claim(claim, expected)
        except Conflict as error:
            # A processor of ours may have raised it between our read and our write.
            now = backend.compute.read_claim()
            if now is None or now.control_plane_id != self._engine.control_plane_id:
                raise Paused(f"{backend.name}: another control plane took it", hint=NEXT_STEP) from error


def pause_everything(store: Store, why: str) -> None:
    """Let nothing be done on any backend until it is adopted, and void every token; for a database that was put back."""
    with store.transaction() as conn:
        conn.execute(fleet.Q["new_era"])
        conn.execute(fleet.Q["pause_all"], {"why": why})


def mismatch(engine: Engine, ours: Row | None, seen: Claim | None) -> str | None:
    """Say in words why this control plane must not act on a backend, or None."""
    if ours is not None and ours["paused"] is not None:
        return str(ours["paused"])
    if seen is None:
        return None if ours is None or ours["written_at"] is None else "it has forgotten who controls it"
    if seen.install_id != engine.install_id:
        return f"it belongs to another install ({seen.install_id})"
    if seen.control_plane_id != engine.control_plane_id:
        return "another control plane of this install controls it"
    if ours is None or seen.epoch > ours["epoch"]:
        return "this database is older than what it controls (it was restored or copied)"
    return None
