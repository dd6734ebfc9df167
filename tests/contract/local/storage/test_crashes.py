"""Whatever dies: a copy is whole or absent, and what was left half done is begun again or put away."""

from __future__ import annotations

import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

from gpudev_sdk.domain.disk import SnapshotState, VolumeRef
from gpudev_sdk.errors import TryLater
from tests.contract.local.storage.places import jobs_of, own, ref, snapshot_spec, take, volume_spec, wait


@pytest.fixture
def filled(place):
    """Return a storage, a volume and its home with enough in it that copying takes a moment."""
    storage = place.storage()
    volume, home = place.volume(storage)
    for number in range(2000):
        (home / f"f{number}").write_text("x" * 100)
    own(home)
    return storage, volume, home


def kill(pids):
    assert pids, "the copy was over before it could be killed"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_a_copy_that_was_killed_is_absent_and_can_be_begun_again(filled):
    storage, volume, _ = filled
    spec = snapshot_spec(volume)
    storage.create_snapshot(spec)
    wait(lambda: jobs_of(str(spec.snapshot_id)))
    assert storage.get_snapshot(ref(spec)).state is SnapshotState.PENDING
    assert os.getsid(jobs_of(str(spec.snapshot_id))[0]) != os.getsid(0), "a Ctrl-C of gpudev would reach the copy"

    kill(jobs_of(str(spec.snapshot_id)))

    wait(lambda: storage.get_snapshot(ref(spec)).presence == "absent")
    storage.create_snapshot(spec)
    wait(lambda: storage.get_snapshot(ref(spec)).state is SnapshotState.COMPLETED)


def test_a_restore_that_was_killed_is_absent_and_can_be_begun_again(filled, place):
    storage, volume, home = filled
    snapshot = take(storage, volume)
    spec = volume_spec(disk_id=volume.disk_id)
    restored = VolumeRef(volume_id=spec.volume_id, disk_id=spec.disk_id)
    storage.create_volume_from_snapshot(spec, snapshot)
    wait(lambda: jobs_of(f"restore-{spec.volume_id}"))
    assert not storage.get_volume(restored).ready

    kill(jobs_of(f"restore-{spec.volume_id}"))

    wait(lambda: storage.get_volume(restored).presence == "absent")
    storage.create_volume_from_snapshot(spec, snapshot)
    wait(lambda: storage.get_volume(restored).ready)
    names = {path.name for path in pathlib.Path(storage.mount(restored).source, "home").iterdir()}
    assert names == {path.name for path in home.iterdir()}


def test_a_copy_goes_on_when_the_process_that_began_it_is_killed(place):
    """The copier is its own session, so `kill -9` of gpudev does not tear a snapshot."""
    volume, home = place.volume(place.storage())
    (home / "f").write_text("kept")
    own(home)
    spec = snapshot_spec(volume)
    program = textwrap.dedent(f"""
        import os, pathlib, signal, uuid
        from gpudev_sdk.domain.disk import SnapshotSpec, VolumeRef
        from gpudev_sdk.local.settings import LocalSettings
        from gpudev_sdk.local.storage import LocalStorage
        from gpudev_sdk.providers import Context
        context = Context(install_id=uuid.UUID("{place.install_id}"), name="local",
                          data_folder=pathlib.Path("{place.folder}"))
        volume = VolumeRef(volume_id=uuid.UUID("{volume.volume_id}"), disk_id=uuid.UUID("{volume.disk_id}"))
        LocalStorage(LocalSettings(free_floor_bytes=0), context).create_snapshot(
            SnapshotSpec(snapshot_id=uuid.UUID("{spec.snapshot_id}"), volume=volume, owner_number=1))
        os.kill(os.getpid(), signal.SIGKILL)
    """)

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL

    wait(lambda: place.storage().get_snapshot(ref(spec)).state is SnapshotState.COMPLETED)


def test_while_a_disk_is_copied_it_counts_as_free(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    held = os.open(home.parent / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_SH)  # as the copier holds it

    seen = storage.get_volume(volume)

    assert seen.attachments == ()
    os.close(held)


def test_a_disk_in_use_is_not_copied(place):
    storage = place.storage()
    volume, home = place.volume(storage)
    held = os.open(home.parent / "lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)

    with pytest.raises(TryLater, match="in use"):
        storage.create_snapshot(snapshot_spec(volume))

    os.close(held)
    assert storage.list_snapshots() == ()


def test_what_was_left_half_made_is_put_away_at_the_next_start(place):
    place.storage().create_volume(volume_spec())
    work = place.disks / "work"
    for name in ("new-1", "restore-2", "snapshot-3", "trash-4"):
        (work / name / "home").mkdir(parents=True)
        (work / name / "home" / "f").write_text("x")
        if os.geteuid() == 0:
            os.chown(work / name / "home", 2_000_001, 2_000_001)
        own(work / name / "home")

    place.storage().create_volume(volume_spec())

    wait(lambda: not [path for path in work.iterdir() if path.is_dir()])


def test_two_who_make_the_same_volume_at_once_make_one(place):
    spec = volume_spec()
    program = textwrap.dedent(f"""
        import pathlib, uuid
        from gpudev_sdk.domain.disk import VolumeSpec
        from gpudev_sdk.local.settings import LocalSettings
        from gpudev_sdk.local.storage import LocalStorage
        from gpudev_sdk.providers import Context
        context = Context(install_id=uuid.UUID("{place.install_id}"), name="local",
                          data_folder=pathlib.Path("{place.folder}"))
        print(LocalStorage(LocalSettings(free_floor_bytes=0), context).create_volume(
            VolumeSpec(volume_id=uuid.UUID("{spec.volume_id}"), disk_id=uuid.UUID("{spec.disk_id}"),
                       owner_number=1, size_bytes=1, node="here")))
    """)

    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]

    assert {process.communicate()[0].strip() for process in both} == {str(spec.volume_id)}
    assert [seen.volume_id for seen in place.storage().list_volumes()] == [spec.volume_id]


def test_a_name_put_away_is_no_volume_even_if_its_removal_never_ran(place, monkeypatch):
    storage = place.storage()
    volume, _ = place.volume(storage)
    monkeypatch.setattr("gpudev_sdk.local.work.clear", lambda work: None)

    storage.delete_volume(volume)

    assert storage.get_volume(volume).presence == "absent"
    assert storage.list_volumes() == ()


def test_what_is_still_being_made_is_not_removed(filled):
    storage, volume, _ = filled
    spec = snapshot_spec(volume)
    storage.create_snapshot(spec)
    wait(lambda: jobs_of(str(spec.snapshot_id)))

    with pytest.raises(TryLater, match="still being taken"):
        storage.delete_snapshot(ref(spec))

    wait(lambda: storage.get_snapshot(ref(spec)).state is SnapshotState.COMPLETED)
    storage.delete_snapshot(ref(spec))
    assert storage.get_snapshot(ref(spec)).presence == "absent"
