"""What may die around a box: gpudev, its supervisor, its init, the machine, and gpudev at each step of its work."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

from gpudev_sdk import fault
from gpudev_sdk.domain.server import Phase, Presence
from gpudev_sdk.fault import SimulatedCrash
from gpudev_sdk.local import ending, identity, locks
from gpudev_sdk.local.boxes import INIT, SUPERVISOR
from gpudev_sdk.local.sandbox import find_bwrap
from tests.contract.local.compute.machine import comes, kill

pytestmark = pytest.mark.sandbox


def test_a_box_survives_the_death_of_gpudev(machine, tmp_path):
    spec = machine.spec()
    (tmp_path / "spec.json").write_text(json.dumps({name: text.decode() for name, text in spec.files.items()}))
    code = f"""
        import json, pathlib, time, uuid
        from gpudev_sdk.domain.server import ServerId, ServerSpec
        from gpudev_sdk.local.compute import LocalCompute
        from gpudev_sdk.local.settings import LocalSettings
        from gpudev_sdk.providers.context import Context
        folder = pathlib.Path({str(tmp_path)!r})
        files = {{name: text.encode() for name, text in json.loads((folder / "spec.json").read_text()).items()}}
        context = Context(install_id=uuid.UUID({str(machine.install_id)!r}), name="local", data_folder=folder)
        LocalCompute(LocalSettings(free_floor_bytes=0), context).launch(ServerSpec(
            server_id=ServerId.parse({str(spec.server_id)!r}), name="work", owner_number=1, owner="ada",
            node={spec.node!r}, gpu_type="cpu", slots=(0,), gpus=0, mount=None, files=files))
        print("launched", flush=True)
        time.sleep(100)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, start_new_session=True
    ) as gpudev:
        assert gpudev.stdout is not None
        assert gpudev.stdout.readline() == b"launched\n"
        os.killpg(gpudev.pid, signal.SIGKILL)

    machine.until_ready(spec.server_id)

    assert machine.run(spec.server_id, "echo here") == "here\n"


def test_a_box_goes_on_when_its_supervisor_is_killed(machine):
    box = machine.start(mount=machine.disk()).server_id
    supervisor = machine.box(box).process(SUPERVISOR)

    kill(supervisor)

    assert comes(lambda: not identity.is_alive(supervisor, identity.boot_id()))
    assert machine.compute.observe(box).phase is Phase.READY
    assert machine.run(box, "echo on") == "on\n"


def test_after_its_supervisor_was_killed_a_box_ends_cleanly(machine):
    mount = machine.disk()
    box = machine.start(mount=mount).server_id
    kill(machine.box(box).process(SUPERVISOR))

    machine.stop(box)

    assert locks.is_free(pathlib.Path(mount.source))


def test_a_supervisor_killed_while_preparing_takes_the_sandbox_with_it(machine):
    spec = machine.spec()
    machine.compute.launch(spec)
    box = machine.box(spec.server_id)
    comes(lambda: box.read(SUPERVISOR) is not None)

    kill(box.process(SUPERVISOR))
    machine.until(spec.server_id, lambda seen: seen.phase is not Phase.STARTING)

    assert machine.stop(spec.server_id).presence is Presence.ABSENT


def test_an_init_that_is_killed_is_a_finished_box(machine):
    box = machine.start().server_id

    kill(machine.box(box).process(INIT))

    seen = machine.until(box, lambda seen: seen.phase is Phase.FINISHED and "ending" not in seen.reason)
    assert "killed by signal 9" in seen.reason or "exit status 137" in seen.reason


def test_the_outer_sandbox_killed_alone_leaves_the_box_running(machine):
    box = machine.start().server_id
    init = machine.box(box).process(INIT)
    outer = int(pathlib.Path(f"/proc/{init.pid}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(outer, signal.SIGKILL)

    assert machine.run(box, "echo on") == "on\n"
    assert machine.compute.observe(box).phase is Phase.READY


def test_after_a_reboot_a_box_is_absent_and_still_listed(machine):
    mount = machine.disk()
    spec = machine.start(mount=mount)
    machine.run(spec.server_id, "echo kept > file")
    kill(machine.box(spec.server_id).process(INIT))
    machine.until(spec.server_id, lambda seen: seen.phase is Phase.FINISHED and "ending" not in seen.reason)
    machine.boot = "another/1"
    machine.again()

    seen = machine.compute.observe(spec.server_id)

    assert (seen.presence, seen.rebooted) == (Presence.ABSENT, True)
    assert spec.server_id in machine.compute.list_servers()


def test_a_box_that_was_ended_is_not_absent_after_a_reboot_while_its_files_are_there(machine):
    box = machine.start().server_id
    machine.compute.terminate(box)
    machine.until(box, lambda seen: seen.phase is Phase.FINISHED)
    machine.boot = "another/1"
    machine.again()

    assert machine.compute.observe(box).presence is Presence.PRESENT


def test_a_box_of_before_the_reboot_is_launched_again(machine):
    mount = machine.disk()
    spec = machine.start(mount=mount)
    machine.run(spec.server_id, "echo kept > file; echo gone > /tmp/file")
    kill(machine.box(spec.server_id).process(INIT))
    box = machine.box(spec.server_id)
    machine.until(spec.server_id, lambda seen: seen.phase is Phase.FINISHED and "ending" not in seen.reason)
    for name in ("intent", INIT, SUPERVISOR):
        box.write(name, box.read(name) | {"boot": "the one before/1"})

    machine.compute.launch(spec)
    machine.until_ready(spec.server_id)

    assert machine.run(spec.server_id, "cat file; test ! -e /tmp/file") == "kept\n"


@pytest.mark.parametrize("point", ["local.launch.intend", "local.launch.intended", "local.launch.started"])
def test_a_launch_that_was_cut_short_is_found_and_can_be_finished(machine, point):
    spec = machine.spec(mount=machine.disk())
    crash_at(point, lambda: machine.compute.launch(spec))

    machine.again()
    if machine.compute.observe(spec.server_id).presence is Presence.ABSENT:
        machine.compute.launch(spec)

    machine.until_ready(spec.server_id)
    assert machine.compute.list_servers() == (spec.server_id,)


@pytest.mark.parametrize("point", ["local.launch.intended", "local.launch.started"])
def test_a_launch_that_was_cut_short_can_be_ended(machine, point):
    spec = machine.spec(mount=machine.disk())
    crash_at(point, lambda: machine.compute.launch(spec))

    machine.again()
    assert spec.server_id in machine.compute.list_servers()
    machine.stop(spec.server_id)

    assert machine.compute.list_servers() == ()


def test_an_end_that_comes_while_the_box_is_started_keeps_its_gate_shut(machine):
    spec = machine.spec()
    fault.install(lambda name: machine.compute.terminate(spec.server_id) if name == "local.launch.intended" else None)
    try:
        machine.compute.launch(spec)
    finally:
        fault.install(None)

    machine.until(spec.server_id, lambda seen: seen.phase is Phase.FINISHED)

    assert machine.box(spec.server_id).ready.read_bytes() == b""


def test_a_sandbox_that_hangs_before_its_gate_is_ended_after_the_allowance(machine, monkeypatch):
    spec = machine.spec()
    crash_at("local.launch.intended", lambda: machine.compute.launch(spec))
    monkeypatch.setattr(ending, "STOP_ALLOWANCE", 0.1)
    lock, (never, opener) = machine.box(spec.server_id).take_lock(), os.pipe()
    command = [find_bwrap(), "--ro-bind", "/", "/", "--unshare-pid", "--block-fd", str(never), "true"]
    with subprocess.Popen(command, pass_fds=(lock, never)):
        os.close(lock)
        assert machine.compute.observe(spec.server_id).phase is Phase.STARTING

        machine.stop(spec.server_id)
    for descriptor in (never, opener):
        os.close(descriptor)


@pytest.mark.parametrize("point", ["local.terminate.buried", "local.terminate.swept"])
def test_an_end_that_was_cut_short_is_finished_by_the_next(machine, point):
    box = machine.start().server_id
    crash_at(point, lambda: machine.stop(box))

    machine.again()
    machine.stop(box)

    assert machine.compute.list_servers() == ()


def crash_at(point: str, call) -> None:
    """Make a call die at a step boundary, as kill -9 would."""

    def hook(name: str) -> None:
        if name == point:
            raise SimulatedCrash(point)

    fault.install(hook)
    try:
        with pytest.raises(SimulatedCrash):
            call()
    finally:
        fault.install(None)
