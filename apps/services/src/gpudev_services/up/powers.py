"""What only the process that holds everything can do for its owner: back up, compare a backend with the database, adopt it."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable

from gpudev_sdk.domain.server import Claim, ServerId
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.differences import Difference, differences
from gpudev_sdk.engine.orphans import find_strays, hold_back
from gpudev_sdk.errors import Conflict, InvalidRequest
from gpudev_sdk.store import bell, fleet
from gpudev_sdk.store.reservations import Q
from gpudev_services.api.desk import Admin


class Powers:
    """The owner's powers over one engine with the engine's rights."""

    def __init__(self, engine: Engine, dump: Callable[[pathlib.Path], None], adopted: Callable[[], None]) -> None:
        self._engine = engine
        self._dump = dump
        self._adopted = adopted

    def as_admin(self) -> Admin:
        """Return them in the form that the API's handlers use."""
        return Admin(backup=self.backup, differences=self.differences, adopt=self.adopt)

    def backup(self, path: str) -> int:
        """Write a dump of the database to a new file; return its size in bytes."""
        target = pathlib.Path(path)
        if not target.is_absolute():
            raise InvalidRequest("the path of a backup must be absolute", field="path")
        if target.exists():
            raise Conflict(f"{target} is there already", hint="Name a new file.")
        if not target.parent.is_dir():
            raise InvalidRequest(f"{target.parent} is no folder", field="path", hint="Make it first.")
        self._dump(target)
        return target.stat().st_size

    def differences(self, name: str) -> tuple[str | None, list[tuple[str, str]], str]:
        """Return why a backend is paused, how it differs from the database, and a digest of both."""
        backend = self._engine.backend(name)
        seen = backend.compute.read_claim()
        found = differences(self._engine, backend)
        with self._engine.store.transaction() as conn:
            ours = fleet.find_claim(conn, name)
        paused = None if ours is None else ours["paused"]
        listed = [(difference.what, difference.consequence) for difference in found]
        return paused, listed, _digest(seen, found)

    def adopt(self, name: str) -> None:
        """Make the backend ours: every token of before is void, and the processors go on with what the database says."""
        backend = self._engine.backend(name)
        running, seen = backend.compute.list_servers(), backend.compute.read_claim()
        epoch = self._raise_ours(backend, seen, running)
        claim = Claim(install_id=self._engine.install_id, control_plane_id=self._engine.control_plane_id, epoch=epoch)
        backend.compute.write_claim(claim, seen)
        self._go_on(backend)
        self._adopted()

    def _raise_ours(self, backend: Backend, seen: Claim | None, running: tuple[ServerId, ...]) -> int:
        with self._engine.store.transaction() as conn:
            # Before anybody plans again.
            hold_back(conn, find_strays(conn, running).ahead)
            ours = fleet.find_claim(conn, backend.name, lock=True)
            epoch = 1 + max(ours["epoch"] if ours else 0, seen.epoch if seen else 0)
            conn.execute(fleet.Q["new_era"])
            fleet.put_claim(conn, backend.name, self._engine.control_plane_id, epoch)
            bell.ring(conn, "access")
            bell.want_plan(conn)
        return epoch

    def _go_on(self, backend: Backend) -> None:
        """Have all that waited for the adoption looked at now, however long it was put off."""
        with self._engine.store.transaction() as conn:
            # A processor that looked between our side of the claim and the backend's took it for another's still.
            conn.execute("UPDATE backend_claim SET paused = NULL WHERE backend = %s", (backend.name,))
            rows = conn.execute(Q["live_servers"], {"backend": backend.name}).fetchall()
            waiting = conn.execute("SELECT id FROM disk WHERE wake_at IS NOT NULL").fetchall()
            bell.ring_work(conn, "reservation", *(row["id"] for row in rows))
            bell.ring_work(conn, "disk", *(row["id"] for row in waiting))


def _digest(seen: Claim | None, found: list[Difference]) -> str:
    # The epoch rises by itself while a control plane works, so it is no part of what was seen.
    owner = "nobody" if seen is None else f"{seen.install_id}/{seen.control_plane_id}"
    lines = [owner, *sorted(f"{difference.what}|{difference.consequence}" for difference in found)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
