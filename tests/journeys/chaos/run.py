"""One run: an install, people, a tormentor and a checker; then calm, and the account."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from gpudev_sdk.errors import Conflict
from tests.journeys.chaos import account
from tests.journeys.chaos.cutting import Scissors
from tests.journeys.chaos.disks import DiskPerson
from tests.journeys.chaos.ledger import Ledger
from tests.journeys.chaos.people import PATIENCE, GpuPerson, Person, Tally, World
from tests.journeys.chaos.report import KILLS, RESTARTS, Result
from tests.journeys.chaos.rig import Rig
from tests.journeys.chaos.tormentor import Tormentor
from tests.journeys.chaos.watch import Watch

#: A message that was read by somebody who died is seen again after 30 s.
SETTLE = 90.0
LIFECYCLES = "SELECT count(*) FROM reservation WHERE state = 'ended' AND started_at IS NOT NULL"


@attrs.frozen(kw_only=True)
class Plan:
    """How much of it."""

    seed: int
    #: At least so long, and until as much is done, but never longer than the last.
    seconds: float
    disk_cycles: int
    kills: int
    restarts: int
    lifecycles: int
    longest: float
    disk_people: int
    gpu_people: int
    #: Mean seconds between two torments.
    pause: float


def run(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Result:
    """Do it all, and leave nothing behind."""
    rig = Rig()
    try:
        rig.start()
        return _run(plan, rig, say)
    finally:
        rig.close()


def _run(plan: Plan, rig: Rig, say: Callable[[str], None]) -> Result:
    ledger, tally, scissors, watch = Ledger(rig.root / "ledger"), Tally(), Scissors(), Watch(rig)
    world = World(rig, ledger, tally, scissors, plan.seed)
    people: list[Person] = [DiskPerson(f"d{number}", world) for number in range(plan.disk_people)]
    people += [GpuPerson(f"g{number}", world) for number in range(plan.gpu_people)]
    tormentor = Tormentor(rig, scissors, plan.seed, plan.pause)
    watch.start()
    begun = time.monotonic()
    try:
        for person in people:
            person.start()
        tormentor.torment(
            lambda: bool(watch.violations) or _is_enough(plan, tormentor, tally, time.monotonic() - begun, say)
        )
        seconds = time.monotonic() - begun
        say(f"calm after {seconds:.0f} s")
        rig.calm()
        _end_all(rig, people, tally)
        say(f"all ended after {time.monotonic() - begun:.0f} s")
    finally:
        for person in people:
            person.over.set()
        watch.stop()
        ledger.close()
    return Result(
        seed=plan.seed,
        seconds=seconds,
        torments=tormentor.done,
        done=tally.done,
        messages=tormentor.messages(),
        request_cuts=scissors.cuts,
        lifecycles=rig.sql(LIFECYCLES)[0][0],
        acknowledged=len(ledger.entries("reserved")),
        checks=watch.checks,
        checks_away=watch.away,
        times=tormentor.times,
        violations=[f"{what}\n{evidence}" for what, evidence in watch.violations.items()],
        lost=account.lost(rig, ledger),
        lost_markers=tally.lost_markers,
        left=_left(rig),
        faults=tally.faults,
    )


def _is_enough(plan: Plan, tormentor: Tormentor, tally: Tally, seconds: float, say: Callable[[str], None]) -> bool:
    say(f"{seconds:.0f} s: {dict(tally.done)} {dict(tormentor.done)}")
    if tally.faults or tally.lost_markers or seconds > plan.longest:
        return True
    return (
        seconds >= plan.seconds
        and tally.done["disk cycles"] >= plan.disk_cycles
        and tally.done["lifecycles"] >= plan.lifecycles
        and tormentor.count(KILLS) >= plan.kills
        and tormentor.count(RESTARTS) >= plan.restarts
    )


def _end_all(rig: Rig, people: list[Person], tally: Tally) -> None:
    """Let everybody finish their day, look at the disks once more, and cancel what is left."""
    for person in people:
        person.over.set()
    for person in people:
        person.join(PATIENCE)
        if person.is_alive():
            tally.faults.append(f"{person.name} does not come to an end\n{rig.tails()}")
    for person in people:
        if isinstance(person, DiskPerson) and not tally.faults:
            person.last_look()
    client = rig.client("last")
    for row in client.list():
        try:
            client.cancel(str(row.id))
        except Conflict:
            continue
    give_up = time.monotonic() + PATIENCE
    while left := client.list():
        if time.monotonic() > give_up:
            tally.faults += [f"{row.name} does not end:\n{rig.events(str(row.id))}" for row in left]
            return
        time.sleep(0.2)


def _left(rig: Rig) -> list[str]:
    """Return what is left over once everything had the time to settle; and what the doctor says then."""
    give_up = time.monotonic() + SETTLE
    while left := account.left_over(rig):
        if time.monotonic() > give_up:
            return left
        # A message that was read by somebody who died is seen again, and read at the next bell.
        rig.ring()
        time.sleep(0.5)
    doctor = rig.install.cli("admin", "doctor", ok=False)
    return [] if doctor.returncode == 0 else doctor.stdout.splitlines()
