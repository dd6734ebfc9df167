"""Every law has a state that keeps it and states that break it, each one step from a lawful install."""

from __future__ import annotations

import pathlib
import re

import attrs
import pytest

from gpudev_sdk.domain.server import ServerId
from gpudev_sdk.engine.check import (
    ELSEWHERE,
    LAWS,
    LIVENESS,
    SAFETY,
    Acknowledged,
    Answer,
    Count,
    Loss,
    MountSeen,
    SeenServer,
    SeenSnapshot,
    SeenVolume,
    Text,
)
from gpudev_sdk.engine.check.tables import AcceptedRow, LeaseRow, WarningRow
from tests.unit.engine.check_make import (
    ACTIVE,
    DISK,
    END,
    EXPIRED,
    HOUR,
    KIM,
    LEE,
    LIMITS,
    MINUTE,
    NOW,
    OLD_SNAPSHOT,
    SECOND,
    SNAPSHOT,
    START,
    STOPPING,
    VOLUME,
    WAITING,
    Install,
    history,
    placed_beside,
    row,
    server,
    slot,
    snapshot,
    uid,
)

I = Install()  # noqa: E741
HOME = {"backend": "lab", "node": "n1"}
MARKED = {"state": "deleting", "delete_reason": "snapshotted", "deletable_snapshot_id": SNAPSHOT}
GONE = I.disk(volume_id=None, restore_from=SNAPSHOT).row(ACTIVE, volume_id=None, state="preparing").seen(servers=())
KEPT = AcceptedRow(reservation_id=ACTIVE, owner="kim", idempotency_key="k", request_digest="ab")
TOLD = Acknowledged(owner="kim", idempotency_key="k", reservation_id=ACTIVE, request_digest="ab")
NOTICE = WarningRow(reservation_id=EXPIRED, threshold=0, expires_at=END, gaps=0, at=END)
EARLY = attrs.evolve(NOTICE, threshold=300, at=END - 5 * MINUTE)
SMALL = {"slots_needed": 1, "gpus": 1, "granted": 3600.0}
LATE_START = [
    ("submitted", START),
    ("to-preparing", NOW - MINUTE),
    ("launch", NOW - MINUTE),
    ("to-active", NOW - MINUTE),
]
PASSED = I.row(WAITING, **SMALL, seq=1).told(ACTIVE, *LATE_START).row(ACTIVE, started_at=NOW, expires_at=NOW + 4 * HOUR)
COUNTS = {("lab", "h100"): Count(total=8, free=6, queued=1)}
STRAY = server(EXPIRED, 2)
OTHER_VOLUME = SeenVolume(volume_id=uid(99))
UNUSED = I.volume(state="deleted").disk(volume_id=None).row(ACTIVE, state="preparing")
PLACED = [("submitted", START), ("to-preparing", START)]
JUST_OVER = I.told(EXPIRED, *PLACED, ("to-stopping", START), ("gone", NOW - 4 * MINUTE), ("to-ended", NOW))


def expired_at(stopping, *, notices=(NOTICE,)):
    begun = END - 5 * HOUR
    entries = [("submitted", begun), ("to-preparing", begun), ("launch", begun), ("to-active", END - 4 * HOUR)]
    entries += [("warning", min(END, stopping)), ("to-stopping", stopping), ("gone", stopping), ("to-ended", stopping)]
    return I.told(EXPIRED, *entries).put(warnings=notices)


#: Law, what it is about, a state that keeps it, and one that breaks it.
TABLE = [
    ("I-1", "a row holds what it needs", I, I.put(slots=(slot(1, STOPPING),))),
    ("I-1", "a queued row holds nothing", I, I.add(slots=(slot(5, WAITING),)).row(WAITING, slots_needed=1, **HOME)),
    ("I-1", "an ended row holds nothing", I, I.add(slots=(slot(5, EXPIRED),))),
    ("I-1", "slots lie on the row's own node", I, I.row(ACTIVE, node="n2").seen(servers=None)),
    ("I-1", "slots are kept until the box is gone", I.row(STOPPING, gone_at=NOW).put(slots=(slot(0, ACTIVE),)).seen(servers=None),
     I.put(slots=(slot(0, ACTIVE),)).seen(servers=None)),
    ("I-1", "no node is overfull", I.seen(allocatable={}), I.seen(
        allocatable={("n1", "h100"): 2}, servers=(server(ACTIVE, 0), server(STOPPING, 1), STRAY))),
    ("I-1", "one server uses a slot", I, I.seen(servers=(server(ACTIVE, 0), server(STOPPING, 0)))),
    ("I-1", "a server runs where its row is", I, I.seen(servers=(attrs.evolve(server(ACTIVE, 0), node="n9"),))),
    ("I-1", "a server was placed before it runs", I, I.seen(servers=(server(WAITING, 3),))),
    ("I-1", "no attempt comes before its time", I, I.seen(servers=(server(ACTIVE, 0, attempt=2),))),
    ("I-2", "an acknowledged request is kept", I.record(acknowledged=(TOLD,)).put(accepted=(KEPT,)),
     I.record(acknowledged=(TOLD,))),
    ("I-2", "and is the same", I.record(acknowledged=(TOLD,)).put(accepted=(KEPT,)),
     I.record(acknowledged=(TOLD,)).put(accepted=(attrs.evolve(KEPT, request_digest="cd"),))),
    ("I-2", "and is whose it was", I.record(acknowledged=(TOLD,)).put(accepted=(KEPT,)),
     I.record(acknowledged=(TOLD,)).put(accepted=(attrs.evolve(KEPT, owner="lee"),))),
    ("I-3", "a live row has a deadline", I, I.row(WAITING, state_deadline=None)),
    ("I-3", "no state lasts over its budget", I.row(WAITING, state_deadline=NOW - 29 * SECOND),
     I.row(WAITING, state_deadline=NOW - 31 * SECOND)),
    ("I-3", "what is overdue asks for a person", I.row(STOPPING, state_deadline=NOW - HOUR, needs_attention="stuck"),
     I.row(STOPPING, state_deadline=NOW - HOUR)),
    ("I-4", "no generation is missing", I, I.row(ACTIVE, generation=5)),
    ("I-4", "the history ends in the row's state", I, I.told(WAITING, *PLACED, actor="lee")),
    ("I-4", "moves go along the graph", I, I.told(
        ACTIVE, ("submitted", START), ("to-active", START), ("to-preparing", START), ("to-active", START))),
    ("I-4", "entries follow on each other", I, I.put(events=tuple(
        attrs.evolve(event, from_state="active") if event.what == "launch" else event for event in I.tables.events))),
    ("I-4", "an end is final", I, I.told(
        EXPIRED, ("submitted", START), ("to-stopping", START), ("to-ended", START), ("extend", START))),
    ("I-5", "one lease for a disk", I, I.add(leases=(LeaseRow(disk_id=DISK, reservation_id=STOPPING, attempt=1),))),
    ("I-5", "who runs holds its disk", I.seen(volumes=None), I.put(leases=()).seen(volumes=None)),
    ("I-5", "who is in line or over holds none", I, I.put(
        leases=(LeaseRow(disk_id=DISK, reservation_id=EXPIRED, attempt=1),)).row(EXPIRED, disk_id=DISK)),
    ("I-5", "nobody holds another's disk", I, I.row(ACTIVE, disk_id=uid(22)).seen(volumes=None)),
    ("I-5", "nobody holds what they gave back", I, I.row(ACTIVE, disk_released_at=NOW)),
    ("I-5", "a volume has one user", I, I.seen(volumes=(SeenVolume(volume_id=VOLUME, attachments=("n1", "n2")),))),
    ("I-5", "two servers never share a volume", I, I.seen(
        servers=(server(ACTIVE, 0, volume_id=VOLUME), server(STOPPING, 1, volume_id=VOLUME)))),
    ("I-5", "no volume is used without a lease", I.row(ACTIVE, disk_id=None, wished_disk=None).put(leases=()).volume(
        detached_at=NOW - MINUTE), I.row(ACTIVE, disk_id=None, wished_disk=None).put(leases=())),
    ("I-6", "a volume goes with its content saved", GONE.volume(**MARKED), GONE.volume(**MARKED, detached_at=NOW - HOUR)),
    ("I-6", "the snapshot is completed", GONE.volume(**MARKED), GONE.volume(**MARKED).snapshot(SNAPSHOT, completed_at=None)),
    ("I-6", "the snapshot is of that volume", GONE.volume(**MARKED), GONE.volume(**MARKED).snapshot(SNAPSHOT, volume_id=uid(9))),
    ("I-6", "never used means never used", GONE.volume(state="deleting", delete_reason="never-used", detached_at=None),
     GONE.volume(state="deleting", delete_reason="never-used")),
    ("I-6", "a deleted disk can be had back until then", GONE.volume(state="deleting", delete_reason="disk-deleted").disk(
        deleted_at=START, purge_at=NOW), GONE.volume(state="deleting", delete_reason="disk-deleted").disk(
        deleted_at=START, purge_at=NOW + HOUR)),
    ("I-6", "the newest good snapshot stays", I.snapshot(OLD_SNAPSHOT, state="deleting"), I.snapshot(SNAPSHOT, state="deleting")),
    ("I-6", "a snapshot that is to come back stays", I.disk(restore_from=SNAPSHOT),
     I.disk(restore_from=OLD_SNAPSHOT).snapshot(OLD_SNAPSHOT, state="deleting")),
    ("I-6", "no disk lives on a volume that goes", GONE.volume(**MARKED), GONE.volume(**MARKED).disk(volume_id=VOLUME)),
    ("I-6", "nothing unsaved was deleted", I, I.record(losses=(Loss(volume_id=VOLUME, disk_id=DISK, at=NOW),))),
    ("I-7", "who asked for a disk has it", I, I.row(WAITING, wished_disk="home")),
    ("I-7", "the volume is the disk's", I, I.row(ACTIVE, volume_id=uid(32)).seen(servers=None)),
    ("I-7", "the server has that volume", I, I.seen(servers=(server(ACTIVE, 0, volume_id=uid(32)), server(STOPPING, 1)))),
    ("I-7", "the content is the newest", *(I.record(mounts=(MountSeen(
        server_id=ServerId(ACTIVE, 1), disk_id=DISK, seen=seen, expected=(1, 2), at=START),)) for seen in ((1, 2), (1,)))),
    ("I-8", "strays go within five minutes", JUST_OVER.seen(servers=(STRAY,)),
     I.seen(servers=(STRAY,))),
    ("I-8", "a stray's age counts from its own start", I.seen(servers=(attrs.evolve(STRAY, since=NOW - MINUTE),)),
     I.seen(servers=(attrs.evolve(STRAY, since=NOW - HOUR),))),
    ("I-8", "a server of unknown owner is reported", I.seen(servers=None), I.seen(servers=(server(uid(99), 5),))),
    ("I-8", "an active row has its server", I.seen(servers=None), I.row(ACTIVE, wake_at=NOW - 6 * MINUTE).seen(servers=())),
    ("I-8", "a volume of unknown owner is reported", I, I.seen(volumes=(SeenVolume(volume_id=VOLUME), OTHER_VOLUME))),
    ("I-8", "a volume of ours is stored", I.seen(volumes=None), I.seen(volumes=())),
    ("I-8", "a snapshot of unknown owner is reported", I, I.seen(snapshots=(
        *I.world.backends[0].snapshots, SeenSnapshot(snapshot_id=uid(99))))),
    ("I-8", "a snapshot of ours is stored", I.seen(snapshots=None), I.seen(snapshots=(SeenSnapshot(snapshot_id=SNAPSHOT),))),
    ("I-8", "what was deleted is gone", UNUSED.seen(volumes=()), UNUSED),
    ("I-8", "a snapshot that was deleted is gone", I.snapshot(OLD_SNAPSHOT, state="deleted").seen(snapshots=None),
     I.snapshot(OLD_SNAPSHOT, state="deleted")),
    ("I-8", "nothing is left of a purged disk", I.disk(deleted_at=START, purge_at=START),
     I.disk(deleted_at=START, purge_at=START, purged_at=START)),
    ("I-9", "only owners and admins act", I.told(WAITING, ("submitted", START), ("extend", START), actor="root"),
     I.told(WAITING, ("submitted", START), ("extend", START), actor="kim")),
    ("I-10", "an older request starts first", PASSED.row(WAITING, seq=99), PASSED),
    ("I-10", "a higher priority starts first", PASSED.row(WAITING, seq=99), PASSED.row(WAITING, seq=99, priority=1)),
    ("I-10", "a larger one may be passed", PASSED.row(WAITING, slots_needed=2), PASSED),
    ("I-10", "a longer one may be passed", PASSED.row(WAITING, granted=5 * 3600.0), PASSED),
    ("I-10", "one of another type may be passed", PASSED.row(WAITING, gpu_type="a100"), PASSED),
    ("I-10", "one that is tied to a backend may be passed", PASSED.row(WAITING, wished_backend="lab"), PASSED),
    ("I-10", "one that came later may be passed", PASSED.row(WAITING, state_since=NOW - MINUTE), PASSED),
    ("I-10", "one that waits for a retry may be passed", PASSED.row(WAITING, retry_at=NOW), PASSED.row(WAITING, retry_at=START)),
    ("I-10", "one that was taken back may be passed", PASSED.row(WAITING, cancel_requested_at=NOW), PASSED),
    ("I-10", "one whose name is in use may be passed", PASSED.row(WAITING, owner_id=KIM, name="box-11").told(
        WAITING, ("submitted", START)), PASSED),
    ("I-11", "reservations within the limit", I, attrs.evolve(I, limits=attrs.evolve(LIMITS, max_reservations_per_user=1))),
    ("I-11", "GPUs within the limit", attrs.evolve(I, limits=attrs.evolve(LIMITS, max_gpus_per_user=9)),
     attrs.evolve(I, limits=attrs.evolve(LIMITS, max_gpus_per_user=8))),
    ("I-11", "disks within the limit", I, attrs.evolve(I, limits=attrs.evolve(LIMITS, max_disks_per_user=0))),
    ("I-12", "nobody is ended before the end", expired_at(END + 2 * MINUTE), expired_at(END - SECOND)),
    ("I-12", "nobody is ended without a notice", expired_at(END + HOUR), expired_at(END + HOUR, notices=())),
    ("I-12", "a notice stands for a full grace", expired_at(END + 2 * MINUTE), expired_at(END + 118 * SECOND)),
    ("I-12", "after a gap the newest notice counts", expired_at(END + 2 * MINUTE), expired_at(
        END + 2 * MINUTE, notices=(NOTICE, attrs.evolve(NOTICE, gaps=1, at=END + MINUTE)))),
    ("I-12", "a failure has a cause", I.row(EXPIRED, end_reason="failed"), I.row(EXPIRED, end_reason="failed", end_detail="")),
    ("I-13", "a warning is given once", I.add(warnings=(EARLY,)), I.add(warnings=(EARLY, EARLY))),
    ("I-13", "a warning does not come early", I.add(warnings=(EARLY,)),
     I.add(warnings=(attrs.evolve(EARLY, at=END - 6 * MINUTE),))),
    ("I-14", "the end is the start and what was granted", I, I.row(ACTIVE, expires_at=START + 3 * HOUR)),
    ("I-14", "waiting costs nothing", I, I.told(ACTIVE, *LATE_START)),
    ("I-16", "secrets end with their reservation", I.put(secrets=(ACTIVE,)), I.put(secrets=(EXPIRED,))),
    ("I-16", "secrets stand in no text", *(I.record(canaries=("s3cr3t",)).put(texts=(Text(where="the plan", text=text),))
                                           for text in ("h100", "a s3cr3t!"))),
    ("I-16", "and leave by none", *(I.record(canaries=("s3cr3t",), texts=(Text(where="the log", text=text),))
                                    for text in ("h100", "a s3cr3t!"))),
    ("I-17", "people are told what the rows say", I.record(answer=Answer(as_of=NOW, counts=COUNTS)),
     I.record(answer=Answer(as_of=NOW, counts={("lab", "h100"): Count(total=8, free=7, queued=1)}))),
    ("I-17", "and at once", I.record(answer=Answer(as_of=NOW - 4 * SECOND, counts=COUNTS)),
     I.record(answer=Answer(as_of=NOW - 6 * SECOND, counts=COUNTS))),
    ("I-18", "nothing starts after a cancel", I, I.told(
        ACTIVE, ("submitted", START), ("to-preparing", START), ("cancel", START), ("to-active", START))),
    ("I-18b", "a cancelled box is gone in two minutes", I.row(STOPPING, cancel_requested_at=NOW - 2 * MINUTE),
     I.row(STOPPING, cancel_requested_at=NOW - 3 * MINUTE)),
    ("I-19", "all slots or none", I, I.row(ACTIVE, slots_needed=2)),
    ("I-19", "on one node", I, I.add(slots=(slot(1, ACTIVE, node="n2"),)).row(ACTIVE, slots_needed=2)),
    ("I-21", "a volume has its place", placed_beside(2), placed_beside(1)),
]  # fmt: skip
IDS = [f"{law}: {what}" for law, what, _, _ in TABLE]


def test_the_lawful_install_breaks_nothing():
    assert I.laws(settled=True) == []
    assert I.tables.reservations
    assert {row.state for row in I.tables.reservations} == {"active", "queued", "ended", "stopping"}


@pytest.mark.parametrize(("law", "what", "lawful", "broken"), TABLE, ids=IDS)
def test_a_law_tells_the_two_apart(law, what, lawful, broken):
    assert lawful.laws(only={law}) == []
    found = broken.check(only={law})
    assert [one.law for one in found] == [law.removesuffix("b")] * len(found)
    assert found


@pytest.mark.parametrize(("law", "what", "lawful", "broken"), TABLE, ids=IDS)
def test_a_violation_names_its_object_and_the_next_step(law, what, lawful, broken):
    for found in broken.check(only={law}):
        assert found.what
        assert found.next_step.endswith(".")
        assert found.key.startswith(law)


def test_every_law_is_in_the_table():
    assert {law for law, *_ in TABLE} == set(LAWS)


def test_every_law_of_the_page_is_checked_or_says_where_it_is_held():
    assert {law.removesuffix("b") for law in LAWS} | set(ELSEWHERE) == {f"I-{number}" for number in range(1, 22)}
    assert not set(LAWS) & set(ELSEWHERE)


def test_the_page_of_the_laws_has_each_of_them_once():
    page = (pathlib.Path(__file__).parents[3] / "docs" / "laws.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (I-\d+) \|", page, re.MULTILINE) == [f"I-{number}" for number in range(1, 22)]
    unseen = re.findall(r"^\| (I-\d+) \|.*\| not a state", page, re.MULTILINE)
    assert set(unseen) == set(ELSEWHERE)


def test_every_law_is_of_safety_or_of_liveness():
    assert set(LAWS) == SAFETY | LIVENESS
    assert not SAFETY & LIVENESS


def test_the_same_violation_has_the_same_key_at_every_look_and_others_have_others():
    broken = I.put(slots=()).row(WAITING, state_deadline=None).seen(servers=None)
    keys = [one.key for one in broken.check()]
    assert keys == [one.key for one in broken.check()]
    assert len(keys) == len(set(keys)) == 3


def test_only_the_laws_that_are_asked_for_are_checked():
    broken = I.row(WAITING, state_deadline=None).put(secrets=(EXPIRED,))
    assert broken.laws() == ["I-3", "I-16"]
    assert broken.laws(only=SAFETY) == ["I-16"]
    assert broken.laws(only=LIVENESS) == ["I-3"]


def test_what_cannot_be_told_breaks_nothing():
    assert I.seen(servers=None, volumes=None, snapshots=None, allocatable=None).laws(settled=True) == []
    bare = tuple(SeenServer(server_id=ServerId(number, 1)) for number in (ACTIVE, STOPPING))
    assert I.seen(servers=bare, volumes=(SeenVolume(volume_id=VOLUME),)).laws(settled=True) == []


def test_a_paused_backend_is_left_to_its_adoption():
    paused = tuple(attrs.evolve(one, paused="restored") for one in I.tables.backends)
    assert I.seen(servers=(server(WAITING, 3),)).put(backends=paused).laws(only=SAFETY) == []


def test_what_is_half_deleted_is_one_once_nothing_stands_in_the_way():
    half = I.snapshot(OLD_SNAPSHOT, state="deleting")
    assert half.laws() == []
    assert half.laws(settled=True) == ["I-8"]


def test_a_missing_server_counts_from_the_last_look_unless_all_is_settled():
    looked_at = I.seen(servers=(server(STOPPING, 1),))
    assert looked_at.laws() == []
    assert looked_at.laws(settled=True) == ["I-8"]


def test_the_strays_of_an_older_attempt_count_from_its_own_end():
    entries = [("submitted", START), ("to-preparing", START), ("to-stopping", START), ("gone", NOW - 4 * MINUTE)]
    again = I.told(WAITING, *entries, ("to-queued", NOW - MINUTE), actor="lee").row(WAITING, attempt=2)
    stray = again.seen(servers=(*I.world.backends[0].servers, server(WAITING, 3)))
    later = again.told(WAITING, *entries[:3], ("gone", NOW - HOUR), ("to-queued", NOW - HOUR), actor="lee")
    assert stray.laws() == []
    assert later.seen(servers=(*I.world.backends[0].servers, server(WAITING, 3))).laws() == ["I-8"]


def test_a_clock_that_went_back_is_no_violation():
    back = expired_at(END - SECOND)
    events = tuple(
        attrs.evolve(event, at=END + HOUR) if (event.reservation_id, event.what) == (EXPIRED, "warning") else event
        for event in back.tables.events
    )
    assert back.laws() == ["I-12"]
    assert back.put(events=events).laws() == []


def test_a_restart_of_the_machine_after_the_end_needs_no_notice():
    assert expired_at(END + HOUR, notices=()).row(EXPIRED, down_since=END + MINUTE).laws() == []


def test_a_secret_is_never_repeated_in_a_finding():
    found = I.record(canaries=("s3cr3t",), texts=(Text(where="the log", text="a s3cr3t!"),)).check()
    assert [one.what for one in found] == ["a secret value stands in the log"]
    assert "s3cr3t" not in str(found)


def test_rows_whose_history_was_not_read_are_not_judged_by_it():
    others = tuple(event for event in I.tables.events if event.reservation_id != EXPIRED)
    assert I.put(events=others).laws() == ["I-4"]
    assert I.put(events=others, warnings=()).row(EXPIRED, told=False).laws() == []


def test_builders_are_what_they_say():
    assert history(ACTIVE, ("submitted", START))[0].from_state is None
    assert row(uid(5), "queued", owner_id=LEE).owner_id == LEE
    assert snapshot(uid(6), NOW).completed_at == NOW + MINUTE
