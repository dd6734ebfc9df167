"""A disk beside whoever deletes, restores, snapshots or tidies it: one writer, and no content that is lost."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine import disk_edits
from tests.contract.two_sessions.sessions import Session

SECOND = dt.timedelta(seconds=1)


def use_disk(theatre):
    """Make kim's disk `work` if need be, and one more good snapshot of it; return the disk's id."""
    bench = theatre.bench
    row = bench.submit(theatre.kim, disk="work")
    theatre.until(row, State.ACTIVE)
    bench.cancel(theatre.kim, row)
    theatre.until(row, State.ENDED)
    disk = bench.disk(theatre.kim, "work")
    bench.disk_work(disk["id"])
    return disk["id"]


@pytest.fixture
def used(theatre):
    """kim's disk `work`, which was used and has two good snapshots; every scene begins with it."""
    use_disk(theatre)
    disk = use_disk(theatre)
    theatre.keep()
    return disk


def asking(theatre, act, *more):
    """Return the work of one wish of kim's about the disk."""
    return lambda: (act(theatre.api.engine, theatre.kim, "work", *more) and "asked") or "done"


def submitting(theatre):
    return lambda: theatre.api.submit(theatre.kim, disk="work") and "accepted"


def test_a_deleted_disk_gets_no_snapshot_and_one_with_a_snapshot_can_be_deleted(theatre, used):
    def arrange():
        return asking(theatre, disk_edits.snapshot), asking(theatre, disk_edits.delete)

    def law(asked, deleted):
        assert deleted == "done"
        assert theatre.count("snapshot WHERE reason = 'asked'") == (asked == "asked")

    outcomes = theatre.in_every_order(arrange, law)
    assert set(outcomes) == {("asked", "done"), ("NotFound", "done")}


def test_asking_twice_for_a_snapshot_is_asking_once(theatre, used):
    def arrange():
        return asking(theatre, disk_edits.snapshot), asking(theatre, disk_edits.snapshot)

    def law(*outcomes):
        assert outcomes == ("asked", "asked")
        assert theatre.count("snapshot WHERE reason = 'asked'") == 1

    theatre.in_every_order(arrange, law)


def test_a_disk_is_restored_before_it_is_asked_for_or_not_at_all(theatre, used):
    bench = theatre.bench

    def arrange():
        found = bench.sql("SELECT id FROM snapshot")[0]["id"]
        return asking(theatre, disk_edits.restore, str(found)), submitting(theatre)

    def law(restored, accepted):
        assert accepted == "accepted"
        assert (bench.disk(theatre.kim, "work")["volume_id"] is None) == (restored == "done")

    outcomes = theatre.in_every_order(arrange, law)
    assert set(outcomes) == {("done", "accepted"), ("Conflict", "accepted")}


@pytest.mark.parametrize("wish", [disk_edits.snapshot, disk_edits.delete])
def test_a_wish_about_a_disk_that_is_worked_on_is_not_slept_through(theatre, used, wish):
    def law(worked, wished):
        assert worked == "done"
        assert wished in ("asked", "done")

    theatre.in_every_order(lambda: (theatre.handling("disk", used), asking(theatre, wish)), law, coarse=True)


def test_a_snapshot_that_is_restored_from_is_not_the_one_that_is_let_go(theatre, used):
    bench = theatre.bench

    def arrange():
        oldest = bench.sql("SELECT id FROM snapshot ORDER BY requested_at LIMIT 1")[0]["id"]
        return theatre.handling("disk", used, keep_snapshots=1), asking(theatre, disk_edits.restore, str(oldest))

    def law(tidied, restored):
        assert tidied == "done"
        source = bench.sql("SELECT s.state FROM disk d JOIN snapshot s ON s.id = d.restore_from")
        assert [row["state"] for row in source] == (["completed"] if restored == "done" else [])

    outcomes = theatre.in_every_order(arrange, law, coarse=True)
    assert {restored for _, restored in outcomes} >= {"done", "NotFound"}


def test_a_disk_had_back_at_the_last_moment_keeps_its_content(theatre, used):
    bench = theatre.bench
    month = bench.engine.limits.undelete

    def arrange():
        disk_edits.delete(theatre.api.engine, theatre.kim, "work")
        purge = Session(theatre.handling("disk", used))
        # The month is over when the processor, which has its lease by then, looks at the disk.
        theatre.later(lambda: month + SECOND if len(purge.statements) > 2 else month - SECOND)
        return purge, asking(theatre, disk_edits.undelete)

    def law(purged, undeleted):
        assert purged == "done"
        kept = bench.sql("SELECT d.deleted_at, d.volume_id, v.state FROM disk d JOIN volume v ON v.disk_id = d.id")[0]
        good = theatre.count("snapshot WHERE state = 'completed'")
        if undeleted == "done":
            assert (kept["deleted_at"], kept["state"], good) == (None, "ready", 2)
            assert kept["volume_id"] is not None
            assert len(bench.memory.volumes) == 1

    outcomes = theatre.in_every_order(arrange, law, coarse=True)
    assert {undeleted for _, undeleted in outcomes} >= {"done", "NotFound"}


def test_a_volume_that_is_tidied_away_is_nobodys(theatre, used):
    bench, asked = theatre.bench, []
    bench.engine.backends["mem"].storage.keep_volumes = dt.timedelta()

    def start():
        bench.plan()
        worker.handle("reservation", asked[0])
        return "done"

    def arrange():
        asked[:] = [bench.submit(theatre.kim, disk="work")]
        return theatre.handling("disk", used), start

    def law(tidied, started):
        assert started == "done"
        theatre.until(asked[0], State.ACTIVE)
        mounted = {spec.mount.volume_id for spec, _ in bench.memory.servers.values()}
        assert mounted <= set(bench.memory.volumes)

    worker = theatre.worker("starter")
    theatre.in_every_order(arrange, law, coarse=True)
