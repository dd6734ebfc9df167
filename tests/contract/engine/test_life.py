"""A reservation's life over a real database: what each step leaves in the tables and in the world."""

from __future__ import annotations

import datetime as dt
import uuid

import attrs
import pytest

from gpudev_sdk.domain.disk import SnapshotState
from gpudev_sdk.domain.reservation import EndReason, State
from gpudev_sdk.domain.server import Phase
from gpudev_sdk.engine import disk_edits, edits
from gpudev_sdk.errors import Conflict, InvalidRequest, LimitReached, NoCapacity, NotFound, Unworkable

HOUR = dt.timedelta(hours=1)


def test_a_request_becomes_a_box(bench, kim):
    made = bench.submit(kim, gpus=2)
    bench.work(made)

    row = bench.row(made)
    assert (row.state, row.slots, row.endpoint) == (State.ACTIVE, (0, 1), "unix:/box")
    assert row.expires_at == row.started_at + 2 * HOUR


def test_the_box_gets_its_keys_and_host_key_before_it_is_active(bench, kim):
    made = bench.submit(kim)
    bench.work(made)

    _, files = next(iter(bench.memory.servers.values()))
    assert set(files) == {"authorized_keys", "host_key", "host_key-cert.pub", "reservation.json", "notice"}
    assert files["host_key-cert.pub"].startswith(b"ssh-ed25519-cert-v01@openssh.com ")


def test_secret_values_reach_the_box_and_no_request_or_event(bench, kim):
    made = bench.submit(kim, env={"WANDB_KEY": "canary-4711"}, env_names=("WANDB_KEY",))
    bench.work(made)

    assert bench.memory.launches[0].env == {"WANDB_KEY": "canary-4711"}
    assert "canary" not in str(bench.sql("SELECT request FROM reservation"))
    assert "canary" not in str(bench.sql("SELECT * FROM reservation_event"))
    assert "canary" not in repr(bench.memory.launches[0])


def test_secret_values_are_erased_at_the_end(bench, kim):
    made = bench.submit(kim, env={"WANDB_KEY": "canary-4711"}, env_names=("WANDB_KEY",))
    bench.work(made)
    bench.cancel(kim, made)
    bench.work(made)

    assert bench.row(made).state is State.ENDED
    assert bench.sql("SELECT * FROM reservation_secret") == []


def test_the_same_key_again_is_the_same_reservation(bench, kim):
    assert bench.submit(kim, key="k") == bench.submit(kim, key="k")


def test_the_same_key_for_another_request_is_refused(bench, kim):
    bench.submit(kim, key="k")
    with pytest.raises(Conflict, match="another request"):
        bench.submit(kim, key="k", gpus=2)


def test_keys_of_two_people_have_nothing_to_do_with_each_other(bench, kim, lee):
    assert bench.submit(kim, key="k") != bench.submit(lee, key="k")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"gpu_type": "b200"}, InvalidRequest),
        ({"gpus": 9}, InvalidRequest),
        ({"gpus": 0}, InvalidRequest),
        ({"gpu_type": "cpu", "gpus": 1}, InvalidRequest),
        ({"duration": 25 * HOUR}, LimitReached),
        ({"duration": dt.timedelta(minutes=1)}, InvalidRequest),
        ({"disk": "Work"}, InvalidRequest),
        ({"disk": "work\n"}, InvalidRequest),
        ({"name": "../up"}, InvalidRequest),
    ],
)
def test_what_could_never_start_is_refused_and_leaves_nothing(bench, kim, asked, error):
    with pytest.raises(error):
        bench.submit(kim, **asked)
    assert bench.sql("SELECT * FROM reservation") == []
    assert bench.sql("SELECT * FROM disk") == []


def test_the_line_is_kept_and_the_next_starts_by_itself(bench, kim, lee):
    first, second = bench.submit(kim, gpus=8), bench.submit(lee, gpus=4)
    bench.work(first, second)
    assert bench.row(second).state is State.QUEUED
    plan = bench.sql("SELECT position, starts_at FROM plan WHERE reservation_id = %s", second)[0]
    assert plan["position"] == 1
    assert plan["starts_at"] > bench.row(first).expires_at

    bench.cancel(kim, first)
    bench.work(first, second)
    assert bench.row(first).state is State.ENDED
    assert bench.row(second).state is State.ACTIVE


def test_a_cancel_in_line_leaves_through_stopping_and_launches_nothing(bench, kim):
    blocker, waiting = bench.submit(kim, gpus=8), bench.submit(kim, gpus=1)
    bench.work(blocker, waiting)
    bench.cancel(kim, waiting)
    bench.work(waiting)

    assert bench.row(waiting).end_reason is EndReason.CANCELLED
    states = [row["to_state"] for row in bench.sql(
        "SELECT to_state FROM reservation_event WHERE reservation_id = %s ORDER BY number", waiting)]  # fmt: skip
    assert states == ["queued", "queued", "stopping", "stopping", "ended"]
    assert len(bench.memory.launches) == 1


def test_cancelling_twice_changes_nothing(bench, kim):
    made = bench.submit(kim)
    bench.work(made)
    bench.cancel(kim, made)
    before = bench.row(made).generation
    bench.cancel(kim, made)
    assert bench.row(made).generation == before


def test_a_foreign_reservation_looks_absent(bench, kim, lee):
    made = bench.submit(kim)
    with pytest.raises(NotFound):
        bench.cancel(lee, made)
    with pytest.raises(NotFound):
        edits.extend(bench.engine, lee, str(made), HOUR)


def test_extending_moves_the_end_and_arms_the_warnings_again(bench, kim):
    made = bench.submit(kim)
    bench.work(made)
    bench.sql(
        "UPDATE reservation SET started_at = started_at - interval '100 min', expires_at = expires_at - interval '100 min'"
    )
    bench.work(made)
    assert [row["threshold"] for row in bench.sql("SELECT threshold FROM warning")] == [1800]
    _, files = next(iter(bench.memory.servers.values()))
    assert b"ends at" in files["notice"]

    edits.extend(bench.engine, kim, str(made), HOUR)
    bench.work(made)
    _, files = next(iter(bench.memory.servers.values()))
    assert files["notice"] == b""
    bench.sql(
        "UPDATE reservation SET started_at = started_at - interval '61 min', expires_at = expires_at - interval '61 min'"
    )
    bench.work(made)
    assert len(bench.sql("SELECT * FROM warning")) == 2


class TestAttempts:
    def test_no_room_after_all_goes_back_to_the_same_place_in_line(self, bench, kim):
        bench.memory.launch_errors.append(NoCapacity("the machine is full"))
        made = bench.submit(kim)
        before = bench.row(made)
        bench.plan()
        bench.processor.handle("reservation", made)

        back = bench.row(made)
        assert (back.state, back.attempt, back.seq, back.queue_deadline) == (
            State.QUEUED, 2, before.seq, before.queue_deadline,
        )  # fmt: skip
        assert back.failures == 0

    def test_the_next_attempt_starts_after_a_while(self, bench, kim):
        bench.memory.launch_errors.append(NoCapacity("the machine is full"))
        made = bench.submit(kim)
        bench.work(made)
        assert bench.row(made).state is State.QUEUED

        bench.sql("UPDATE reservation SET retry_at = gpudev_now() - interval '1 s'")
        bench.sql("UPDATE planner SET wanted = wanted + 1")
        bench.work(made)
        assert bench.row(made).state is State.ACTIVE
        assert bench.row(made).attempt == 2

    def test_what_can_never_work_fails_with_its_reason(self, bench, kim):
        bench.memory.launch_errors.append(Unworkable("the image is not for this machine"))
        made = bench.submit(kim)
        bench.work(made)

        row = bench.row(made)
        assert (row.state, row.end_reason, row.detail) == (
            State.ENDED, EndReason.FAILED, "the image is not for this machine",
        )  # fmt: skip

    def test_a_server_that_ends_while_it_comes_up_is_tried_a_few_times(self, bench, kim):
        bench.memory.phase = Phase.FINISHED
        made = bench.submit(kim)
        for _ in range(10):
            bench.work(made)
            bench.sql("UPDATE reservation SET retry_at = NULL WHERE state = 'queued'")
            bench.sql("UPDATE planner SET wanted = wanted + 1")

        row = bench.row(made)
        assert (row.state, row.end_reason, row.attempt) == (State.ENDED, EndReason.FAILED, 3)


class TestUnknown:
    def test_a_box_that_cannot_be_seen_is_neither_gone_nor_ended(self, bench, kim):
        made = bench.submit(kim)
        bench.work(made)
        bench.memory.blind = True
        bench.work(made)
        assert bench.row(made).state is State.ACTIVE

    def test_slots_stay_held_while_nobody_can_tell_that_the_box_is_gone(self, bench, kim, lee):
        first, second = bench.submit(kim, gpus=8), bench.submit(lee, gpus=8)
        bench.work(first, second)
        bench.cancel(kim, first)
        bench.memory.blind = True
        bench.work(first, second)

        assert bench.row(first).state is State.STOPPING
        assert bench.row(second).state is State.QUEUED
        assert len(bench.memory.launches) == 1

    def test_slots_stay_held_until_the_box_is_seen_gone(self, bench, kim, lee):
        first, second = bench.submit(kim, gpus=8), bench.submit(lee, gpus=8)
        bench.work(first, second)
        bench.cancel(kim, first)
        bench.memory.stubborn = True
        bench.work(first, second)
        assert bench.row(second).state is State.QUEUED

        bench.memory.stubborn = False
        bench.work(first, second)
        assert bench.row(second).state is State.ACTIVE


class TestDisks:
    def test_the_order_of_the_end_is_stop_then_snapshot_then_release(self, bench, kim):
        made = bench.submit(kim, disk="work")
        bench.work(made)
        bench.cancel(kim, made)
        bench.work(made)

        assert bench.memory.log == ["launch", "terminate", "snapshot"]
        what = [row["what"] for row in bench.sql(
            "SELECT what FROM reservation_event WHERE reservation_id = %s ORDER BY number", made)]  # fmt: skip
        order = ["terminate", "gone", "detached", "snapshot-intended", "snapshot", "disk-released", "to-ended"]
        assert [step for step in what if step in order] == order

    def test_the_next_box_has_the_same_volume(self, bench, kim):
        first = bench.submit(kim, disk="work")
        bench.work(first)
        bench.cancel(kim, first)
        second = bench.submit(kim, disk="work")
        bench.work(first, second)

        one, two = (spec.mount.volume_id for spec in bench.memory.launches)
        assert one == two

    def test_a_disk_in_use_is_refused_and_its_holder_named(self, bench, kim):
        made = bench.submit(kim, disk="work", name="training")
        bench.work(made)
        with pytest.raises(Conflict, match="training"):
            bench.submit(kim, disk="work")

    def test_a_request_waits_for_a_disk_whose_box_is_stopping_and_holds_up_nobody(self, bench, kim, lee):
        first = bench.submit(kim, disk="work")
        bench.work(first)
        bench.memory.snapshot_state = SnapshotState.PENDING
        bench.cancel(kim, first)
        bench.work(first)
        second, third = bench.submit(kim, disk="work"), bench.submit(lee)
        bench.work(first, second, third)
        assert bench.row(second).state is State.QUEUED
        assert bench.row(third).state is State.ACTIVE

        bench.memory.snapshots = dict.fromkeys(bench.memory.snapshots, SnapshotState.COMPLETED)
        bench.work(first, second)
        assert bench.row(second).state is State.ACTIVE

    def test_a_snapshot_that_fails_keeps_the_volume_and_asks_for_attention(self, bench, kim):
        made = bench.submit(kim, disk="work")
        bench.work(made)
        bench.memory.snapshot_state = SnapshotState.ERROR
        bench.cancel(kim, made)
        for _ in range(6):
            bench.work(made)

        assert bench.row(made).state is State.ENDED
        assert len(bench.memory.volumes) == 1
        assert "volume itself is kept" in bench.disk(kim, "work")["needs_attention"]

    def test_a_disk_that_lost_its_volume_never_comes_up_empty(self, bench, kim):
        first = bench.submit(kim, disk="work")
        bench.work(first)
        bench.cancel(kim, first)
        bench.work(first)
        bench.sql("UPDATE disk SET volume_id = NULL, restore_from = NULL")

        second = bench.submit(kim, disk="work")
        bench.work(second)
        assert bench.row(second).end_reason is EndReason.FAILED
        assert len(bench.memory.launches) == 1

    def test_a_deleted_and_recreated_name_is_another_disk(self, bench, kim):
        first = bench.submit(kim, disk="work")
        bench.work(first)
        bench.cancel(kim, first)
        bench.work(first)
        disk_edits.delete(bench.engine, kim, "work")
        second = bench.submit(kim, disk="work")
        bench.work(second)

        one, two = (spec.mount.disk_id for spec in bench.memory.launches)
        assert one != two
        assert len(bench.memory.volumes) == 2

    def test_a_restore_comes_with_the_next_box_and_keeps_what_was_there(self, bench, kim):
        first = bench.submit(kim, disk="work")
        bench.work(first)
        bench.cancel(kim, first)
        bench.work(first)
        snapshot = next(iter(bench.memory.snapshots))
        disk_edits.restore(bench.engine, kim, "work", str(snapshot))
        second = bench.submit(kim, disk="work")
        bench.work(second)

        assert sorted(bench.memory.volumes.values()) == ["empty", f"from {snapshot}"]
        assert bench.memory.volumes[bench.memory.launches[-1].mount.volume_id] == f"from {snapshot}"

    def test_a_disk_in_use_cannot_be_deleted(self, bench, kim):
        made = bench.submit(kim, disk="work")
        bench.work(made)
        with pytest.raises(Conflict, match="in use"):
            disk_edits.delete(bench.engine, kim, "work")

    def test_another_persons_disk_looks_absent(self, bench, kim, lee):
        disk_edits.create(bench.engine, kim, "work", None)
        with pytest.raises(NotFound):
            disk_edits.delete(bench.engine, lee, "work")


def test_limits_count_what_waits_too(bench, kim):
    for _ in range(bench.engine.limits.max_reservations_per_user):
        bench.submit(kim, gpus=8)
    with pytest.raises(LimitReached):
        bench.submit(kim)


def test_having_a_deleted_disk_back_counts_as_having_it(bench, kim):
    engine = attrs.evolve(bench.engine, limits=attrs.evolve(bench.engine.limits, max_disks_per_user=1))
    disk_edits.create(engine, kim, "old", None)
    disk_edits.delete(engine, kim, "old")
    disk_edits.create(engine, kim, "new", None)
    with pytest.raises(LimitReached):
        disk_edits.undelete(engine, kim, "old")


def test_a_message_for_a_row_that_is_not_there_is_nothing(bench):
    bench.processor.handle("reservation", uuid.uuid4())
    assert bench.processor._troubles == {}
