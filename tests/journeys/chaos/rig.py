"""The install under torment: its processes, and a keeper that starts again what died, as systemd would."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import uuid

import psycopg

from gpudev_sdk.client.client import Client, connect
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.transport import Call, LocalTransport
from gpudev_sdk.errors import GpudevError
from gpudev_sdk.local import identity
from gpudev_sdk.local.boxes import Shelf
from gpudev_sdk.store.embedded import Embedded, postmaster
from gpudev_sdk.store.embedded.layout import Layout
from gpudev_sdk.store.embedded.passwords import SUPERUSER
from gpudev_sdk.store.embedded.postmaster import Postmaster
from tests.fix_install import BIN, Install, prepare
from tests.journeys.chaos.services import PAUSE, Service

CONFIG = """
gateway = "127.0.0.1:0"
processors = 2
[limits]
grace_seconds = 2
stop_allowance_seconds = 5
max_reservations_per_user = 100
[backends.local]
compute = "local"
storage = "local"
[backends.local.local]
pretend = "h100:8"
cpu_slots = 8
free_floor_bytes = 1000000
"""
API, PROCESSORS = "api", ("processor-1", "processor-2", "processor-3")
KEEPER_LOOKS = 0.1
#: A first start makes a database, on a machine that may be very busy.
LONGEST_START = 180.0


class Rig:
    """One install in a scratch folder: its API in one process, its workers in three others, its database and boxes."""

    def __init__(self) -> None:
        self.install: Install = prepare(CONFIG)
        self.root = self.install.root
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self.services = {API: self._service(API, "up", workers=0)}
        self.services |= {name: self._service(name, "processor", workers=2) for name in PROCESSORS}
        self._embedded = Embedded(self.install.data / "postgres")

    def _service(self, name: str, word: str, *, workers: int) -> Service:
        return Service(
            name=name,
            command=[str(BIN / "gpudev-services"), word, "--data", str(self.install.data)],
            environment=self.install.environment | {"GPUDEV_SERVER_PROCESSORS": str(workers)},
            log=self.root / f"{name}.log",
        )

    # Up, and kept up.

    def start(self) -> None:
        """Start everything, and return when all of it is up."""
        with self._lock:
            self.services[API].look_after()
        self.until(self.healthy, within=LONGEST_START)
        self._keeper.start()
        self.until(self.whole, within=LONGEST_START)

    def _keep(self) -> None:
        while not self._over.wait(KEEPER_LOOKS):
            with self._lock:
                for service in self.services.values():
                    service.look_after()

    def whole(self) -> bool:
        """Say whether every process is up, and has been for a moment."""
        with self._lock:
            steady = time.monotonic() - 2 * PAUSE
            return all(service.is_up and service.not_before < steady for service in self.services.values())

    def kill(self, name: str, hold: float = 0.0) -> None:
        """Kill -9 a service."""
        with self._lock:
            self.services[name].kill(hold)

    def stop(self, name: str, seconds: float) -> None:
        """SIGSTOP a service for some seconds."""
        with self._lock:
            self.services[name].stop(seconds)

    def calm(self) -> None:
        """Let everything go on, and return when all of it is up."""
        with self._lock:
            for service in self.services.values():
                service.not_before = 0.0
                if service.resume_at is not None:
                    service.resume()
        self.until(lambda: self.whole() and self.healthy(), within=90)

    def service_of(self, pid: int) -> str | None:
        """Return which service a pid is now, unless it is stopped."""
        with self._lock:
            for service in self.services.values():
                if service.is_up and service.process is not None and service.process.pid == pid:
                    return service.name
        return None

    # Asked.

    def client(self, name: str) -> Client:
        """Return a client with a folder, a key and ssh files of its own."""
        home, config = self.root / "home", self.root / name
        home.mkdir(exist_ok=True)
        return connect(places=Places(data=self.install.data, config=config, home=home, data_named=True))

    def healthy(self, timeout: float = 2.0) -> bool:
        """Say whether the API answers with what is in the database."""
        transport = LocalTransport(self.install.data / "run" / "api.sock")
        try:
            return transport.send(Call("GET", "/v1/reservations?limit=1"), timeout).status == 200
        except GpudevError:
            return False

    def connection(self, role: str = "gpudev_owner", database: str = "gpudev") -> psycopg.Connection:
        """Connect to the database; raises psycopg.OperationalError while it is away."""
        return psycopg.connect(self._embedded.dsn(role, database), autocommit=True, connect_timeout=2)

    def sql(self, statement: str, values: tuple[object, ...] = (), *, within: float = 60.0) -> list[tuple[object, ...]]:
        """Run a statement as the schema's owner, again until the database has answered."""
        give_up = time.monotonic() + within
        while True:
            try:
                with self.connection() as conn:
                    cursor = conn.execute(statement, values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)

    def ring(self) -> None:
        """Have every worker look for messages and for rows whose time has come."""
        self.sql('SELECT pg_notify(\'gpudev\', \'{"kind": "reservation", "id": null}\')')

    def as_superuser(self, statement: str) -> int:
        """Run a statement as PostgreSQL's superuser; return how many rows it gave."""
        with self.connection(SUPERUSER, "postgres") as conn:
            return len(conn.execute(statement).fetchall())

    def postmaster(self) -> Postmaster | None:
        """Return the running PostgreSQL."""
        return postmaster.find(Layout(self._embedded.folder))

    def is_answering(self) -> bool:
        """Say whether PostgreSQL takes a connection."""
        try:
            with self.connection() as conn:
                conn.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def boxes(self, record: str, reservation_id: str = "") -> list[identity.Process]:
        """Return the processes of a record (SUPERVISOR or INIT) of all boxes that live, or of one reservation's."""
        found = []
        for place in (self.install.data / "backends" / "local" / "boxes").glob("*"):
            for box in Shelf(place.parent.parent, uuid.UUID(place.name)).all():
                process = box.process(record) if str(box.server_id.reservation_id).startswith(reservation_id) else None
                if process is not None and identity.is_alive(process, identity.boot_id()):
                    found.append(process)
        return found

    def processes_of_boxes(self) -> list[int]:
        """Return the pids of all processes that have the folder of boxes and disks on their command line."""
        return _mentioning(self.install.data / "backends")

    # Watched.

    def until(self, what, *, within: float, every: float = 0.1) -> None:
        """Return when something has come true; raise AssertionError, with the ends of the logs, if it does not in time."""
        give_up = time.monotonic() + within
        while not what():
            assert time.monotonic() < give_up, f"did not come true in {within} s\n{self.tails()}"
            time.sleep(every)

    def tails(self, lines: int = 12) -> str:
        """Return the ends of all logs."""
        logs = [service.log for service in self.services.values()] + [self.install.data / "postgres" / "postgres.log"]
        ends = [f"--- {log.name}\n" + "\n".join(_lines(log)[-lines:]) for log in logs if log.exists()]
        return "\n".join(ends)

    def events(self, reservation_id: str) -> str:
        """Return what happened last to a reservation."""
        rows = self.sql(
            "SELECT at, what, from_state, to_state, detail, actor FROM reservation_event WHERE reservation_id = %s "
            "ORDER BY number DESC LIMIT 8",
            (reservation_id,),
        )
        row = self.sql(
            "SELECT state, attempt, detail, end_detail, wake_at, lease_holder, lease_until, cancel_requested_at, gpudev_now() "
            "FROM reservation WHERE id = %s",
            (reservation_id,),
        )
        return "\n".join(" ".join(map(str, row)) for row in [*row, *rows])

    # Ended.

    def close(self) -> None:
        """End everything and remove everything, whatever state it is in."""
        self._over.set()
        if self._keeper.ident is not None:
            self._keeper.join(10)
        for service in self.services.values():
            service.resume()
        try:
            self._end_in_order()
        finally:
            self.end_by_force()
            shutil.rmtree(self.root, ignore_errors=True)

    def _end_in_order(self) -> None:
        processors = [self.services[name].process for name in PROCESSORS]
        for process in processors:
            if process is not None and process.poll() is None:
                process.terminate()
        for process in processors:
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.install.cli("down", "--force", ok=False, timeout=90)

    def end_by_force(self) -> None:
        """Kill every process that has this install's folder on its command line; all of them are its own."""
        for pid in _mentioning(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for service in self.services.values():
            if service.process is not None:
                service.process.wait(20)


def _mentioning(folder: pathlib.Path) -> list[int]:
    mark, found = f"{folder}/".encode(), []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
