"""Many boxes: a hundred and two hundred at once on fake nodes, and what two hundred live ones cost the control plane."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import attrs
from kube_ground import Follower, Ground, until
from measure import line

from gpudev_sdk.client.client import Client, connect
from gpudev_sdk.client.places import find_places
from gpudev_sdk.kube.kinds import Json
from tests.cluster.installs import ClusterInstall, prepare_on
from tests.cluster.machine.fake_nodes import FakeNode, FakeNodes

NODES, MORE, GPUS = 20, 6, 8
#: How long processor time is counted while nothing happens.
IDLE = 60.0
SERVICES = str(pathlib.Path(sys.executable).parent / "gpudev-services")


class Slots(Follower):
    """Looks, with every event, whether two live pods hold one slot."""

    def __init__(self, api) -> None:
        super().__init__(api)
        self.doubles: set[tuple[str, str, str]] = set()
        self._held: dict[tuple[str, str], str] = {}

    def _note(self, name: str, item: Json, what: str) -> None:
        super()._note(name, item, what)
        over = what == "DELETED" or (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        for slot in _slots(item):
            holder = self._held.get(slot)
            if over:
                if holder == name:
                    del self._held[slot]
            elif holder not in (None, name):
                self.doubles.add((*slot, name))
            else:
                self._held[slot] = name


def _slots(item: Json) -> list[tuple[str, str]]:
    node = item["spec"].get("nodeName")
    held = (item["metadata"].get("annotations") or {}).get("gpudev.io/slots", "")
    return [(node, slot) for slot in held.split(",")] if node and held else []


def measure(ground: Ground) -> None:
    """Print the figures, on an install of its own over fake nodes; their pods run as soon as somebody looks, 5 times a second."""
    label = {"gpudev.test/bench": uuid.uuid4().hex[:8]}
    named = f"bench-{label['gpudev.test/bench']}"
    with ground.place.machine.fake_nodes() as fleet, Slots(ground.api) as slots:
        fleet.add(*(FakeNode(name=f"{named}-{number:02}", gpus=GPUS, labels=label) for number in range(NODES)))
        install = prepare_on(attrs.evolve(ground.place, node_labels=label))
        install.up()
        try:
            client = connect(places=find_places(install.environment))
            _hundred(install, client)
            _two_hundred(install, client)
            _live(install, client, fleet, (named, label))
        finally:
            install.close()
        line("slots held twice, looked at with every event of a pod", f"{len(slots.doubles)}", "bar 0")


def _submit(client: Client, count: int, prefix: str) -> None:
    """Ask for so many boxes of one GPU, eight at a time."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.reserve(
            "h100", hours=1, gpus=1, disk=None, name=f"{prefix}{number}", wait=False), range(count)))  # fmt: skip


def _states(install: ClusterInstall, prefix: str) -> collections.Counter[str]:
    found = install.sql("SELECT state, count(*) FROM reservation WHERE name LIKE %s GROUP BY state", f"{prefix}%")
    return collections.Counter(dict(found))


def _hundred(install: ClusterInstall, client: Client) -> None:
    began = time.perf_counter()
    _submit(client, 100, "a")
    last = time.perf_counter()
    until(lambda: _states(install, "a")["active"] == 100, within=180, every=0.05)
    line("100 boxes, from the last submit: all active", f"{time.perf_counter() - last:.1f} s",
         f"bar 10 s; the submits took {last - began:.1f} s")  # fmt: skip
    began = time.perf_counter()
    install.cli("cancel", "--all", "--yes", timeout=120)
    until(lambda: _states(install, "a") == {"ended": 100}, within=180, every=0.1)
    line("  all ended again", f"{time.perf_counter() - began:.1f} s")


def _two_hundred(install: ClusterInstall, client: Client) -> None:
    """Have owners end boxes as they come up, until every request has ended."""
    began = time.perf_counter()
    with _owners(install, client):
        _submit(client, 200, "b")
        until(lambda: _states(install, "b") == {"ended": 200}, within=300, every=0.1)
    took = time.perf_counter() - began
    line(f"200 requests for {NODES * GPUS} GPUs: all came up and ended", f"{took:.1f} s", f"{_states(install, 'b')}")
    ends = install.sql("SELECT end_reason, count(*) FROM reservation WHERE name LIKE 'b%%' GROUP BY end_reason")
    line("  how they ended", f"{dict(ends)}")


@contextlib.contextmanager
def _owners(install: ClusterInstall, client: Client) -> Iterator[None]:
    stop = threading.Event()

    def end_active() -> None:
        while not stop.wait(0.5):
            for (name,) in install.sql(
                "SELECT name FROM reservation WHERE state = 'active' AND cancel_requested_at IS NULL"
            ):
                client.cancel(name)

    thread = threading.Thread(target=end_active)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _live(install: ClusterInstall, client: Client, fleet: FakeNodes, named: tuple[str, dict[str, str]]) -> None:
    """Have two hundred live boxes, and look what the control plane takes."""
    fleet.add(*(FakeNode(name=f"{named[0]}-{NODES + number:02}", gpus=GPUS, labels=named[1]) for number in range(MORE)))
    time.sleep(6)
    with _processor(install) as more:
        _submit(client, 200, "c")
        until(lambda: _states(install, "c")["active"] == 200, within=300, every=0.1)
        time.sleep(10)
        line("200 live boxes: `gpudev up`, resident", f"{_memory(install.pid):.0f} MB", "without PostgreSQL")
        line("  `gpudev-services processor`, resident", f"{_memory(more.pid):.0f} MB", "bar 150 MB")
        before = _spent(install.pid), _spent(more.pid), _database(install)
        time.sleep(IDLE)
        for what, was, now in zip(("`gpudev up`", "`gpudev-services processor`", "PostgreSQL"), before,
                                  (_spent(install.pid), _spent(more.pid), _database(install)), strict=True):  # fmt: skip
            line(f"  nothing happens: {what}, of one core", f"{(now - was) / IDLE:.1%}")


@contextlib.contextmanager
def _processor(install: ClusterInstall) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([SERVICES, "processor"], env=install.environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _memory(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _spent(pid: int) -> float:
    """Return the processor seconds of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _database(install: ClusterInstall) -> float:
    """Return the processor seconds of the install's PostgreSQL, those of its ended processes included."""
    postmaster = int((install.data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    total = 0.0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(path.name) == postmaster:
                total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            elif int(fields[1]) == postmaster:
                total += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return total
