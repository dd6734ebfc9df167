"""Runs real code of many processes one at a time, in an order drawn from a seed, on a virtual clock.

Each actor is a thread, and only the one that holds the baton runs. It gives the baton back where it sleeps and where the fault
policy says so; whose turn it is next is drawn. Nothing waits for real time, so that a seed is a whole run.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Callable

import attrs

from gpudev_sdk.fault import SimulatedCrash
from gpudev_sdk.testing.cloud import VirtualClock

#: What a turn of an actor takes, at most, in seconds of virtual time.
TURN = 0.05


class Ended(BaseException):
    """The simulation is over: every actor leaves wherever it is."""


@attrs.define(eq=False)
class Actor:
    """One process, in a thread of its own."""

    name: str
    body: Callable[[], None]
    wake: dt.datetime
    #: Born again this long after a crash, or never.
    downtime: tuple[float, float] | None = (0.5, 40.0)
    #: What a client does while its first call hangs: the same once more, through another process.
    twin: Callable[[], None] | None = None
    frozen: bool = False
    over: bool = False
    failure: BaseException | None = None
    thread: threading.Thread | None = None
    go: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))


class Scheduler:
    """The baton, the clock, and who is alive."""

    def __init__(self, rng: random.Random, clock: VirtualClock) -> None:
        self.rng = rng
        self.clock = clock
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.ending = False
        self.born = 0
        self._back = threading.Semaphore(0)

    def spawn(self, name: str, body: Callable[[], None], **how: object) -> Actor:
        """Have a process begin, now or after `delay` seconds."""
        delay = float(str(how.pop("delay", 0.0)))
        actor = Actor(name, body, self.clock.now + dt.timedelta(seconds=delay), **how)  # type: ignore[arg-type]
        self.actors.append(actor)
        return actor

    def turn(self) -> Actor:
        """Give one actor its turn; move the clock to the next moment if nobody has anything to do."""
        now = self.clock.now
        ready = [actor for actor in self.actors if actor.wake <= now]
        if not ready:
            self.clock.advance(min(actor.wake for actor in self.actors) - now)
            return self.turn()
        actor = ready[self.rng.randrange(len(ready))]
        self.clock.advance(dt.timedelta(seconds=self.rng.random() * TURN))
        self._resume(actor)
        if actor.over:
            self.actors.remove(actor)
            self._after(actor)
        return actor

    def _after(self, actor: Actor) -> None:
        if isinstance(actor.failure, SimulatedCrash) and actor.downtime is not None:
            self.born += 1
            again = self.spawn(actor.name, actor.body, delay=self.rng.uniform(*actor.downtime), downtime=actor.downtime)
            again.twin = actor.twin
        elif actor.failure is not None and not isinstance(actor.failure, Ended | SimulatedCrash):
            raise actor.failure

    def _resume(self, actor: Actor) -> None:
        self.current = actor
        actor.frozen = False
        if actor.thread is None:
            actor.thread = threading.Thread(target=self._run, args=(actor,), name=actor.name, daemon=True)
            actor.thread.start()
        actor.go.release()
        self._back.acquire()
        self.current = None

    def _run(self, actor: Actor) -> None:
        actor.go.acquire()
        try:
            if not self.ending:
                actor.body()
        except BaseException as error:  # noqa: BLE001
            actor.failure = error
        actor.over = True
        self._back.release()

    def sleep(self, seconds: float) -> None:
        """Let time pass for the actor that runs."""
        actor = self.current
        assert actor is not None, "only an actor sleeps"
        if self.ending:
            raise Ended
        actor.wake = self.clock.now + dt.timedelta(seconds=seconds)
        self._back.release()
        actor.go.acquire()
        if self.ending:
            raise Ended

    def freeze(self, seconds: float) -> None:
        """Stop the actor that runs as SIGSTOP does: nothing wakes it before its time."""
        assert self.current is not None
        self.current.frozen = True
        self.sleep(seconds)

    def wake(self, actor: Actor, seconds: float) -> None:
        """Have an actor that sleeps run by then, unless it is frozen."""
        if not actor.frozen:
            actor.wake = min(actor.wake, self.clock.now + dt.timedelta(seconds=seconds))

    def end(self) -> None:
        """Have everybody leave."""
        self.ending = True
        for actor in list(self.actors):
            if actor.thread is not None:
                self._resume(actor)
        self.actors.clear()
