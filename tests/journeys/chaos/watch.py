"""The checker while the torment goes on: every second, all laws, over the tables and over what the backend shows."""

from __future__ import annotations

import re
import threading
import time

import attrs

from gpudev_sdk import config
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.doctor import examine
from gpudev_sdk.errors import Unavailable
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.pool import Store
from gpudev_services.up import build
from gpudev_services.up.folder import DataFolder
from tests.journeys.chaos.rig import Rig

EVERY = 1.0
#: Seconds for which something may be so: a look at a folder that changes meanwhile is no trouble of a backend.
PATIENT = {"seen": 10.0}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@attrs.define
class Watch:
    """Examines every second in a thread; what it found is in `violations`."""

    rig: Rig
    checks: int = 0
    away: int = 0
    #: What was wrong, with what had happened until then.
    violations: dict[str, str] = attrs.field(factory=dict)
    _first: dict[str, float] = attrs.field(factory=dict)
    _over: threading.Event = attrs.field(factory=threading.Event)
    _thread: threading.Thread | None = None
    _broken: Exception | None = None
    _store: Store | None = None
    _engine: Engine | None = None

    def start(self) -> None:
        """Begin."""
        folder = DataFolder(self.rig.install.data)
        configuration = config.read(folder.config)
        self._store = Store(Embedded(folder.database).dsn("gpudev_engine"), max_size=2)
        self._store.open()
        self._engine = build.engine(self._store, configuration, build.parts(self._store, configuration, folder))
        self._thread = threading.Thread(target=self._run, name="checker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what broke the checker itself is raised here."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(30)
        if self._store is not None:
            self._store.close()
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            while not self._over.wait(EVERY):
                self.check(time.monotonic() - begun)
        except Exception as error:  # noqa: BLE001 (a thread's boundary: `stop` raises it)
            self._broken = error

    def check(self, now: float) -> None:
        """Examine once; while the database is away nothing can be told."""
        assert self._engine is not None  # started
        try:
            findings = examine(self._engine).findings
        except Unavailable:
            self.away += 1
            return
        self.checks += 1
        found = {f"{finding.law}: {finding.what}": finding.law for finding in findings}
        self._first = {what: self._first.get(what, now) for what in found}
        for what, law in found.items():
            if now - self._first[what] >= PATIENT.get(law, 0.0) and what not in self.violations:
                self.violations[what] = self._evidence(what)

    def _evidence(self, what: str) -> str:
        histories = [f"{found[0]}:\n{self.rig.events(found[0])}" for found in _ID.finditer(what)]
        return "\n".join([*histories, self.rig.tails()])
