"""A box from launch to its end, with everything that may die in between."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess

import attrs
import pytest

from gpudev_sdk.domain.server import Phase, Presence, ServerId
from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable
from gpudev_sdk.local import ending, identity, locks
from gpudev_sdk.local.boxes import INIT
from tests.contract.local.compute.machine import kill, leftovers

pytestmark = pytest.mark.sandbox


QUIET = ">/dev/null 2>&1 </dev/null"


def test_a_ready_box_says_where_and_since_when(machine):
    box = machine.start().server_id

    seen = machine.compute.observe(box)

    assert seen.endpoint is not None
    assert seen.endpoint.startswith("unix:/")
    assert seen.started_at is not None


def test_a_home_on_a_disk_is_found_again_by_the_next_attempt(machine):
    mount = machine.disk()
    first = machine.start(mount=mount)
    machine.run(first.server_id, "echo kept > file")
    machine.stop(first.server_id)

    second = machine.start(mount=mount, server_id=ServerId(first.server_id.reservation_id, 2))

    assert machine.run(second.server_id, "cat file") == "kept\n"


def test_a_throw_away_home_is_gone_with_its_box(machine, tmp_path):
    box = machine.start().server_id
    machine.run(box, "touch file")

    machine.stop(box)

    assert not machine.box(box).folder.exists()
    assert list(tmp_path.rglob("file")) == []


def test_a_disk_in_use_is_not_given_to_a_second_box(machine):
    mount = machine.disk()
    machine.start(mount=mount)
    second = machine.spec(mount=mount)

    with pytest.raises(TryLater, match="in use"):
        machine.compute.launch(second)

    assert machine.compute.observe(second.server_id).presence is Presence.ABSENT


def test_a_disk_is_held_until_its_box_is_gone(machine):
    mount = machine.disk()
    box = machine.start(mount=mount).server_id
    assert not locks.is_free(pathlib.Path(mount.source))

    machine.stop(box)

    assert locks.is_free(pathlib.Path(mount.source))


def test_a_disk_without_its_marker_starts_nothing(machine):
    mount = machine.disk()
    (pathlib.Path(mount.source) / "marker.json").unlink()

    with pytest.raises(Unworkable, match="no marker"):
        machine.compute.launch(machine.spec(mount=mount))


def test_below_the_floor_of_free_space_nothing_starts(machine):
    machine.settings = attrs.evolve(machine.settings, free_floor_bytes=2**60)
    machine.again()
    spec = machine.spec()

    with pytest.raises(NoCapacity, match="free"):
        machine.compute.launch(spec)

    assert machine.compute.list_servers() == ()


def test_what_the_machine_does_not_have_is_refused(machine):
    with pytest.raises(NoCapacity):
        machine.compute.launch(machine.spec(gpu_type="b200", gpus=1))
    with pytest.raises(Unworkable, match="image"):
        machine.compute.launch(machine.spec(image="ubuntu:24.04"))


def test_a_box_whose_server_cannot_start_is_finished_and_says_why(machine):
    spec = machine.spec(files=machine.files(host_key=b"not a key"))
    machine.compute.launch(spec)

    seen = machine.until(spec.server_id, lambda seen: seen.phase is Phase.FINISHED)

    assert "KeyImportError" in seen.reason


def test_everything_in_the_box_ends_with_it(machine):
    box = machine.start().server_id
    machine.run(
        box,
        f"exec {QUIET}; setsid sleep 12345 & setsid sh -c 'trap \"\" TERM HUP; sleep 12345' &",
    )

    machine.stop(box)

    assert leftovers(pathlib.Path("sleep 12345")) == []


def test_programs_are_asked_to_end_and_their_last_words_are_on_the_disk(machine):
    mount = machine.disk()
    box = machine.start(mount=mount).server_id
    machine.run(
        box,
        f"setsid sh -c 'trap \"echo asked > word; exit\" TERM; touch up; while :; do sleep 0.02; done' {QUIET} &"
        "until test -e up; do sleep 0.02; done",
    )

    machine.stop(box)

    assert (pathlib.Path(mount.source) / "home" / "word").read_text() == "asked\n"


def test_a_box_that_does_not_end_is_killed_after_the_allowance(machine, monkeypatch):
    box = machine.start().server_id
    init = machine.box(box).process(INIT)
    os.kill(init.pid, signal.SIGSTOP)
    monkeypatch.setattr(ending, "STOP_ALLOWANCE", 0.2)

    machine.stop(box)

    assert not identity.is_alive(init, identity.boot_id())


@pytest.mark.parametrize("with_disk", [True, False])
def test_a_nasty_home_ends_cleanly_and_a_disks_content_stays(machine, with_disk):
    mount = machine.disk() if with_disk else None
    box = machine.start(mount=mount).server_id
    nasty = (
        "mkdir -p closed/in && touch closed/in/f && chmod 000 closed/in closed; mkfifo pipe; ln -s / root; ln -s me me"
    )
    deep = "mkdir -p $(printf 'd/%.0s' $(seq 400))"
    machine.run(box, f"{nasty}; cd /tmp; {nasty}; {deep}; setsid sleep 999 {QUIET} &")

    machine.stop(box)

    assert not machine.box(box).folder.exists()
    assert pathlib.Path("/etc/passwd").exists()
    if mount is not None:
        assert (pathlib.Path(mount.source) / "home" / "pipe").is_fifo()


def test_a_reused_pid_is_never_signalled(machine):
    box = machine.start().server_id
    record = machine.box(box)
    init = record.process(INIT)
    with subprocess.Popen(["sleep", "100"]) as stranger:
        kill(init)
        machine.until(box, lambda seen: seen.phase is Phase.FINISHED and "ending" not in seen.reason)
        record.write(INIT, {"boot": init.boot, "pid": stranger.pid, "start": init.start, "started_at": 0})

        assert machine.compute.observe(box).phase is Phase.FINISHED
        machine.stop(box)

        assert stranger.poll() is None
        stranger.kill()


def test_an_attempt_with_a_tombstone_is_not_launched_after_a_restart(machine):
    spec = machine.spec()
    machine.compute.terminate(spec.server_id)

    machine.again().launch(spec)

    assert machine.compute.list_servers() == ()


@pytest.mark.parametrize("emptied", [True, False])
def test_a_data_folder_that_was_unmounted_is_unknown_and_not_absent(machine, tmp_path, emptied):
    box = machine.start().server_id
    boxes = tmp_path / "boxes"
    boxes.rename(tmp_path / "away")
    if emptied:
        (boxes / str(machine.install_id)).mkdir(parents=True)
    try:
        with pytest.raises(TryLater):
            machine.compute.observe(box)
        with pytest.raises(TryLater):
            machine.compute.list_servers()
    finally:
        shutil.rmtree(boxes, ignore_errors=True)
        (tmp_path / "away").rename(boxes)


def test_what_is_not_the_boxs_users_own_is_not_removed(machine, as_root):
    box = machine.start().server_id
    foreign = machine.box(box).scratch / "foreign"
    foreign.mkdir()
    (foreign / "file").touch()

    with pytest.raises(AssertionError):
        machine.stop(box, seconds=3)

    assert (foreign / "file").exists()
    assert "cannot remove what the box left" in machine.log(box)
    # Once it is empty, a sweeper of the machine may be first.
    shutil.rmtree(foreign, ignore_errors=True)


def test_a_long_data_folder_has_its_sockets_elsewhere(machine, tmp_path):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    (long / "id.pub").write_bytes((tmp_path / "id.pub").read_bytes())
    elsewhere = attrs.evolve(machine, folder=long, launched=[])
    box = elsewhere.start().server_id
    try:
        endpoint = elsewhere.compute.observe(box).endpoint
        assert len(os.fsencode(endpoint.removeprefix("unix:"))) <= 107
        assert pathlib.Path(endpoint.removeprefix("unix:")).parent.stat().st_mode & 0o777 == 0o700
        assert elsewhere.run(box, "echo hi") == "hi\n"
    finally:
        elsewhere.stop(box)
    assert not pathlib.Path(endpoint.removeprefix("unix:")).parent.exists()
