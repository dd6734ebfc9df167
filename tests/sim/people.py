"""People who use the install: they ask, ask again when no answer comes, and keep what they were told."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine import disk_edits, disk_leave, edits
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.errors import CallerError, Unavailable

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

MINUTE = dt.timedelta(minutes=1)
DISKS = ("home", "work", "data", "big", "old")


@attrs.define
class Wish:
    """One thing a person wants, until they have an answer."""

    call: Callable[[], object]
    done: Callable[[object], None] = lambda answer: None
    refused: Callable[[], None] = lambda: None
    #: An earlier try may have been carried out without an answer.
    unsure: bool = False
    answered: bool = False


@attrs.define(eq=False)
class Person:
    """One of them."""

    sim: Simulation
    user: User
    left: int
    made: list[uuid.UUID] = attrs.field(factory=list)
    wish: Wish | None = None

    def live(self) -> None:
        """Want something now and then, for as long as the simulation goes on."""
        while True:
            if self.wish is None or self.wish.answered:
                self.sim.scheduler.sleep(self.sim.rng.expovariate(1 / self.sim.pace))
                self.wish = self._want()
            self._ask(self.wish)

    def again(self) -> None:
        """Ask the same through another process while the first still hangs."""
        if self.wish is not None and not self.wish.answered:
            self._ask(self.wish)

    def _ask(self, wish: Wish) -> None:
        try:
            answer = wish.call()
        except Unavailable:
            wish.unsure = True
            self.sim.scheduler.sleep(self.sim.rng.uniform(0.5, 3.0))
        except CallerError:
            if not wish.unsure:
                wish.refused()
            wish.answered = True
        else:
            wish.done(answer)
            wish.answered = True

    def _want(self) -> Wish:
        if self.left > 0 and self.sim.rng.random() < self.sim.knobs.reserving:
            return self._reserve()
        kinds = (
            self._cancel, self._extend, self._snapshot, self._restore, self._delete, self._undelete, self._make, self._leave,
        )  # fmt: skip
        return self.sim.rng.choices(kinds, weights=self.sim.knobs.wishes)[0]()

    def _reserve(self) -> Wish:
        rng = self.sim.rng
        gpu_type = rng.choices(("h100", "cpu"), weights=(3, 1))[0]
        request = Request(
            gpu_type=gpu_type,
            gpus=0 if gpu_type == "cpu" else rng.choices((1, 2, 4, 8), weights=(5, 3, 2, 1))[0],
            duration=rng.randint(5, 9) * MINUTE,
            disk=rng.choices((None, *DISKS), weights=self.sim.knobs.disks)[0],
            priority=1 if self.user.is_admin and rng.random() < 0.2 else 0,
            backend="sim" if rng.random() < 0.2 else None,
            max_wait=rng.choice((None, 20 * MINUTE, 60 * MINUTE)),
        )
        if self.sim.knobs.gangs and rng.random() < self.sim.knobs.gangs:
            request = attrs.evolve(request, gpus=0 if gpu_type == "cpu" else 8, nodes=rng.choice((2, 2, 3)))
        key = str(self.sim.fresh_id())
        env = {"TOKEN": self.sim.canary()} if rng.random() < 0.2 else {}
        submission = Submission(request=request, idempotency_key=key, env=env)

        def done(answer: object) -> None:
            assert isinstance(answer, uuid.UUID)
            self.left -= answer not in self.made
            self.made.append(answer)
            self.sim.book.acknowledge(self.user.id, key, answer, request)

        return Wish(lambda: submit(self.sim.front, self.user, submission), done)

    def _one_of_mine(self) -> str:
        return str(self.sim.rng.choice(self.made[-6:])) if self.made else "nothing"

    def _disk(self, *, deleted: bool = False, filled: bool = False) -> str:
        """Choose a disk of mine that something can be done with, if there is one, and any name otherwise."""
        mine = self.sim.idle_disks(self.user, deleted=deleted, filled=filled)
        return self.sim.rng.choice(mine) if mine and self.sim.rng.random() < 0.8 else self.sim.rng.choice(DISKS)

    def _cancel(self) -> Wish:
        ref = self._one_of_mine()
        return Wish(
            lambda: edits.cancel(self.sim.front, self.user, ref), lambda answer: self.sim.book.cancelled.add(ref)
        )

    def _extend(self) -> Wish:
        ref, more = self._one_of_mine(), self.sim.rng.randint(1, 4) * MINUTE
        return Wish(lambda: edits.extend(self.sim.front, self.user, ref, more))

    def _make(self) -> Wish:
        name = self._disk()
        return Wish(lambda: disk_edits.create(self.sim.front, self.user, name, None))

    def _delete(self) -> Wish:
        name = self._disk()
        return Wish(lambda: disk_edits.delete(self.sim.front, self.user, name))

    def _undelete(self) -> Wish:
        name = self._disk(deleted=True)
        return Wish(lambda: disk_edits.undelete(self.sim.front, self.user, name))

    def _snapshot(self) -> Wish:
        name = self._disk(filled=True)
        return Wish(lambda: disk_edits.snapshot(self.sim.front, self.user, name))

    def _leave(self) -> Wish:
        name = self._disk(filled=True)
        return Wish(lambda: disk_leave.leave(self.sim.front, self.user, name))

    def _restore(self) -> Wish:
        name = self._disk()
        known = self.sim.good_snapshots(self.user, name)
        if not known:
            return self._snapshot()
        disk_id, snapshot_id = self.sim.rng.choice(known)
        asked = self.sim.book.may_be_restored(disk_id, self.sim.content_of(snapshot_id))
        return Wish(
            lambda: disk_edits.restore(self.sim.front, self.user, name, str(snapshot_id)),
            lambda answer: self.sim.book.restored(asked),
            lambda: self.sim.book.not_restored(asked),
        )
