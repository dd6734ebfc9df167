"""Where boxes cannot be kept apart: the operator alone has some, as an ordinary user, and their processes are still found."""

from __future__ import annotations

import os
import pathlib
import signal

import pytest

from gpudev_sdk.domain.server import Phase, Presence
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.local import identity, marked, sandbox
from gpudev_sdk.local.boxes import INIT, SUPERVISOR
from tests.contract.local.compute.machine import comes

QUIET = ">/dev/null 2>&1 </dev/null"


@pytest.fixture
def bare(machine, monkeypatch):
    """A machine without bubblewrap."""
    monkeypatch.setattr(sandbox, "find_bwrap", lambda: None)
    return machine


@pytest.fixture
def box(bare, ordinary, ssh_program):
    return bare.start(mount=bare.disk()).server_id


@pytest.fixture
def ordinary():
    if os.geteuid() == 0:
        pytest.skip("needs an ordinary user: as root nothing runs without walls")


def test_it_is_said_with_the_reason(bare):
    assert bare.compute.describe()["isolation"] == "none: bubblewrap is not installed"


def test_started_as_root_nobody_gets_a_box(bare, as_root):
    with pytest.raises(Unworkable, match="runs as root") as caught:
        bare.compute.launch(bare.spec())

    assert "bubblewrap" in caught.value.hint
    assert bare.compute.list_servers() == ()


def test_only_the_operator_gets_a_box(bare, ordinary):
    with pytest.raises(Unworkable, match="only the operator"):
        bare.compute.launch(bare.spec(owner_number=2))


def test_the_operators_box_works_and_its_folders_come_by_the_environment(bare, box):
    home = bare.run(box, "cd; pwd").strip()

    assert home == bare.run(box, "echo $HOME").strip() != "/home/dev"
    assert "authorized_keys" in bare.run(box, "ls $GPUDEV_RUN")


def test_what_the_box_left_in_sessions_of_its_own_ends_with_it(bare, box):
    bare.run(box, f"setsid sh -c 'trap \"\" TERM HUP; sleep 12345' {QUIET} &")
    run = bare.box(box).run

    bare.stop(box)

    assert marked.pids_of(run) == []


def test_a_notice_goes_to_terminals_of_the_box_alone(bare, box):
    assert bare.ssh(box, "tty", options=["-tt"]).stdout.startswith("/dev/pts/")


def test_it_goes_on_when_its_supervisor_is_killed_and_still_ends(bare, box):
    os.kill(bare.box(box).process(SUPERVISOR).pid, signal.SIGKILL)

    assert bare.run(box, "echo on") == "on\n"
    assert bare.stop(box).presence is Presence.ABSENT


def test_with_supervisor_and_server_killed_what_is_left_is_found_and_ended(bare, box):
    bare.run(box, f"setsid sleep 12345 {QUIET} &")
    record = bare.box(box)
    run, boot = record.run, identity.boot_id()
    for name in (SUPERVISOR, INIT):
        os.kill(record.process(name).pid, signal.SIGKILL)
        assert comes(lambda process=record.process(name): not identity.is_alive(process, boot))

    assert bare.compute.observe(box).reason == "some of its processes are left"
    bare.stop(box)

    assert marked.pids_of(run) == []


def test_a_server_killed_alone_takes_what_it_left_with_it(bare, box):
    bare.run(box, f"setsid sh -c 'trap \"\" TERM HUP; sleep 12345' {QUIET} &")
    run = pathlib.Path(bare.box(box).run)

    os.kill(bare.box(box).process(INIT).pid, signal.SIGKILL)
    bare.until(box, lambda seen: seen.phase is Phase.FINISHED)

    assert marked.pids_of(run) == []
