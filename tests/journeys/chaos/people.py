"""People who use the install while it is tormented: what fails for a while is tried again, what fails for ever is a fault."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import attrs
import msgspec

from gpudev_sdk.client.box import CommandFailed
from gpudev_sdk.client.requests import make_body
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict, TimedOut, TooManyRequests, Unavailable
from gpudev_sdk.wire.bodies import ReserveBody
from tests.journeys.chaos.cutting import CuttingTransport, Scissors
from tests.journeys.chaos.ledger import Ledger
from tests.journeys.chaos.rig import Rig

T = TypeVar("T")
#: However it is tormented, an answer comes within this, and so does a box, an end, or a place in line.
PATIENCE = 150.0
HOUR = 3600


@attrs.define
class Tally:
    """What all people did and saw."""

    done: Counter[str] = attrs.field(factory=Counter)
    #: Sentences; each is a failure of the run.
    faults: list[str] = attrs.field(factory=list)
    lost_markers: list[str] = attrs.field(factory=list)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def count(self, what: str, by: int = 1) -> None:
        """Count something done."""
        with self._lock:
            self.done[what] += by


@attrs.frozen
class World:
    """What people share."""

    rig: Rig
    ledger: Ledger
    tally: Tally
    scissors: Scissors
    seed: int


class Person(threading.Thread):
    """One person, who lives the same day again and again until told to stop."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name=name, daemon=True)
        self.rig, self.ledger, self.tally = world.rig, world.ledger, world.tally
        self.rng = random.Random(f"{world.seed} {name}")
        self.client = self.rig.client(name)
        transport = CuttingTransport(self.rig.install.data / "run" / "api.sock", world.scissors, self.rng)
        self.client.api.transport = transport
        self.over = threading.Event()
        self._asked = 0

    def run(self) -> None:
        """Live until told to stop; what nobody foresaw is a fault of the run."""
        while not self.over.is_set():
            try:
                self.live()
            except Exception:  # noqa: BLE001 (a thread's boundary: the run must hear of it)
                self.tally.faults.append(f"{self.name}: {traceback.format_exc()}")
                return

    def live(self) -> None:
        """One day."""
        raise NotImplementedError

    # What they do.

    def insist(self, do: Callable[[], T]) -> T:
        """Do something again until the server has answered; it must within PATIENCE."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return do()
            except (Unavailable, TooManyRequests) as error:
                self.tally.count("calls tried again")
                if time.monotonic() > give_up:
                    raise AssertionError(f"no answer in {PATIENCE} s: {error}\n{self.rig.tails()}") from error
            time.sleep(0.2 + self.rng.random() * 0.3)

    def reserve(self, gpu_type: str, gpus: int, disk: str | None, name: str) -> Reservation:
        """Ask for a box with a key of its own, and note what was acknowledged."""
        body = make_body(gpu_type, 1.0, gpus=gpus, disk=disk, name=name)
        self._asked += 1
        key = f"{self.name}-{self._asked}"
        plain = msgspec.to_builtins(body)
        self.ledger.note("sent", key=key, body=plain)
        row = self.insist(lambda: self.client.submit(body, key))
        self.ledger.note("reserved", key=key, body=plain, id=str(row.id))
        self.tally.count("reserve")
        if self.rng.random() < 0.2:
            self._double(body, key, row)
        return row

    def _double(self, body: ReserveBody, key: str, row: Reservation) -> None:
        again = self.insist(lambda: self.client.submit(body, key))
        assert again.id == row.id, f"the key {key} made both {row.id} and {again.id}"
        self.tally.count("reserve doubled")

    def reached(self, row: Reservation, state: str) -> Reservation:
        """Wait until a reservation is as wanted or has ended."""
        seen = self.insist(lambda: self.client.reached(str(row.id), lambda view: view.state == state, PATIENCE))
        self.tally.count("lifecycles", by=seen is not None and state == "ended" and seen.started_at is not None)
        if seen is None:
            events = self.rig.events(str(row.id))
            raise AssertionError(f"{row.id} is not {state} after {PATIENCE} s:\n{events}\n{self.rig.tails()}")
        return seen

    def cancel(self, row: Reservation) -> None:
        """Ask for the end of a box; that it has ended already is fine."""
        try:
            self.insist(lambda: self.client.cancel(str(row.id)))
        except Conflict:
            return
        self.ledger.note("cancelled", id=str(row.id))
        self.tally.count("cancel")

    def extend(self, row: Reservation) -> None:
        """Ask for an hour more, once: an answer that is lost leaves it open whether it was granted."""
        self.ledger.note("extending", id=str(row.id), seconds=HOUR)
        try:
            self.client.extend(str(row.id), 1.0)
        except (Unavailable, TooManyRequests, Conflict):
            return
        self.ledger.note("extended", id=str(row.id), seconds=HOUR)
        self.tally.count("extend")

    def execute(self, row: Reservation, command: str) -> str | None:
        """Run a command in a box, again while the box is up; None if it ended meanwhile."""
        give_up = time.monotonic() + PATIENCE
        box = self.insist(lambda: self.client.get(str(row.id)))
        while box.state == "active":
            try:
                result = box.run(command, timeout=45)
                if result.exit_code == 0:
                    self.tally.count("exec")
                    return result.stdout
            except Conflict:
                return None
            except (Unavailable, TimedOut, CommandFailed):
                pass
            assert time.monotonic() < give_up, f"{row.name} is up and answers no command\n{self.rig.tails()}"
            time.sleep(0.5)
            self.insist(box.refresh)
        return None


class GpuPerson(Person):
    """Takes GPUs without a disk: waits in line, changes their mind, wants more time."""

    def live(self) -> None:
        """Reserve, perhaps wait, perhaps use it, cancel."""
        row = self.reserve("h100", self.rng.choice((1, 1, 2, 4)), None, self.name)
        if self.rng.random() < 0.2:
            time.sleep(self.rng.random())
        else:
            row = self.reached(row, "active")
            if self.rng.random() < 0.4:
                self.extend(row)
            if self.rng.random() < 0.4:
                self.execute(row, "cat /run/gpudev/notice; echo here")
            time.sleep(self.rng.random() * 2)
        self.cancel(row)
        self.reached(row, "ended")
