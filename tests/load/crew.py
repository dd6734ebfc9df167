"""One process of the control plane under load: processors, a planner and a listener, as the services have them.

Started by `crews`; it works until its standard input is closed, so that it never outlives who started it.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import threading
import uuid

from gpudev_sdk.domain.limits import Limits
from gpudev_sdk.engine.alarm import Alarm
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.engine.loop import Loop
from gpudev_sdk.engine.planner import plan
from gpudev_sdk.engine.planning import next_plan, run_planner
from gpudev_sdk.engine.processor import Processor
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.store import bell, ids, people
from gpudev_sdk.store.listener import Listener
from gpudev_sdk.store.pool import Store
from tests.load.folder_backend import FolderCompute, Place
from tests.load.witness import WatchedPlanner
from tests.memory_backend import Memory, MemoryStorage

ROOT = pathlib.Path(__file__).parents[2]
LONGEST_STOP = 30.0


def build_engine(store: Store, place: Place) -> Engine:
    """Put an engine over a store and the boxes of a folder together."""
    with store.transaction() as conn:
        conn.execute(people.Q["make_install"], {"id": ids.new()})
        install = people.install(conn)["id"]
    backend = Backend(name="lab", compute=FolderCompute(place), storage=MemoryStorage(Memory()))
    return Engine(
        store=store,
        backends={"lab": backend},
        limits=Limits.one_machine(),
        install_id=install,
        control_plane_id=uuid.UUID(int=5),
        host_ca=HostAuthority(place.folder / "ssh"),
    )


class Crew:
    """The threads of one process."""

    def __init__(self, engine: Engine, dsn: str, name: str, processors: int, planner=plan) -> None:
        self._engine, self._name, self._planner = engine, name, planner
        self._alarm, self._stop = Alarm(), threading.Event()
        claims = Claims(engine)
        self._threads = [
            threading.Thread(target=Processor(engine, claims, self._alarm, f"{name}-{n}").run, args=(self._stop,))
            for n in range(processors)
        ]
        self._loop = Loop(f"planner-{name}", self._plan)
        self._listener = Listener(dsn, self._rung, self._reconnected)
        claims.start()
        Inventory(engine).take()

    def _plan(self) -> float:
        run_planner(self._engine, self._name, self._planner)
        coming = next_plan(self._engine)
        return 60.0 if coming is None else min(60.0, coming)

    def _rung(self, ring) -> None:
        if ring.kind == bell.WORK:
            self._alarm.ring()
        elif ring.kind == "plan":
            self._loop.nudge()

    def _reconnected(self) -> None:
        self._alarm.wake_all()
        self._loop.nudge()

    @contextlib.contextmanager
    def working(self):
        """Work for as long as the block lasts."""
        self._listener.start()
        self._loop.start()
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._alarm.wake_all()
            self._loop.stop()
            self._listener.stop()
            for thread in (*self._threads, self._loop):
                thread.join(LONGEST_STOP)


@contextlib.contextmanager
def crews(dsn: str, place: Place, *, processes: int, processors: int, watched: bool = False):
    """Have `processes` processes with `processors` processors each work for as long as the block lasts."""
    told = {"dsn": dsn, "folder": str(place.folder), "nodes": place.nodes, "processors": processors, "watched": watched}
    with contextlib.ExitStack() as stack:
        for number in range(processes):
            command = [sys.executable, "-m", "tests.load.crew", json.dumps(told | {"name": f"crew{number}"})]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            stack.callback(process.stdin.close)
            assert process.stdout.readline() == b"at work\n"
        yield


def main(told: dict) -> None:
    """Work until standard input ends."""
    place = Place(pathlib.Path(told["folder"]), told["nodes"])
    store = Store(told["dsn"], max_size=told["processors"] + 3)
    store.open()
    planner = WatchedPlanner(place.folder / f"plans-{told['name']}.jsonl") if told["watched"] else plan
    crew = Crew(build_engine(store, place), told["dsn"], told["name"], told["processors"], planner)
    try:
        with crew.working():
            print("at work", flush=True)
            sys.stdin.read()
    finally:
        store.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
