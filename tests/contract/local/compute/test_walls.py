"""The attacker's side, run from inside a box: what it must not see, change or become."""

from __future__ import annotations

import os
import pathlib
import socket
import textwrap

import pytest

from gpudev_sdk.domain.server import Phase
from gpudev_sdk.local import interpreter
from gpudev_sdk.local.boxes import INIT
from gpudev_sdk.local.settings import LocalSettings

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("ssh_program")]


@pytest.fixture
def box(machine):
    return machine.start(mount=machine.disk(), env={"TOKEN_OF_MINE": "hush-hush"}).server_id


def attempt(machine, box, code: str) -> str:
    """Run Python in the box and return what it says."""
    program = textwrap.dedent(code)
    done = machine.ssh(box, f"{interpreter.find_interpreter().program} -I -S -", input=program)
    return done.stdout + done.stderr


def test_the_operators_files_are_not_there(machine, box, tmp_path):
    token = tmp_path / "token"
    token.write_text("gpd_secret")
    token.chmod(0o644)

    done = machine.ssh(box, f"cat {token}; ls {tmp_path} {tmp_path / 'boxes'} {tmp_path / 'disks'}")

    assert done.stdout == ""
    assert done.stderr.count("No such file or directory") == 4


def test_nothing_is_in_the_root_but_what_was_allowed(machine, box):
    seen = set(machine.run(box, "ls -A /").split())

    allowed = {
        "bin",
        "sbin",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "usr",
        "etc",
        "proc",
        "dev",
        "sys",
        "tmp",
        "run",
        "var",
        "home",
    }
    ours = {path.parts[1] for path in interpreter.find_interpreter().needed}
    assert seen <= allowed | ours


def test_of_homes_and_run_there_is_only_the_boxs_own(machine, box):
    assert machine.run(box, "ls -A /home /run /var").split() == ["/home:", "dev", "/run:", "gpudev", "/var:", "tmp"]


def test_a_socket_of_this_machine_cannot_be_reached(machine, box, tmp_path):
    path = tmp_path / "db"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0o777)

        said = attempt(machine, box, f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})")

    assert "FileNotFoundError" in said


def test_the_boxs_own_way_in_cannot_be_replaced_from_within(machine, box, tmp_path):
    endpoint = machine.compute.observe(box).endpoint.removeprefix("unix:")

    assert machine.ssh(box, f"ls {endpoint}").returncode != 0


def test_processes_of_this_machine_and_of_other_boxes_are_not_seen(machine, box):
    other = machine.start(slots=(1,)).server_id
    init = machine.box(other).process(INIT)

    pids = machine.run(box, "ls /proc | grep -E '^[0-9]+$' | tr '\\n' ' '; grep -c . /proc/1/comm")

    assert len(pids.split()) < 10
    assert machine.ssh(box, f"kill -0 {init.pid}").returncode != 0


def test_the_persons_values_are_in_no_command_line_and_no_record(machine, box):
    shown = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    written = [path.read_bytes() for path in machine.box(box).folder.rglob("*") if path.is_file()]

    assert not any(b"hush-hush" in text for text in [*shown, *written])


@pytest.mark.parametrize(
    "path", ["/etc/new", "/etc/passwd", "/usr/new", "/new", "/run/new", "/run/gpudev/notice", "/dev/new"]
)
def test_what_is_not_the_boxs_own_cannot_be_written(machine, box, path):
    assert machine.ssh(box, f"echo x >> {path}").returncode != 0


@pytest.mark.parametrize("setting", ["kernel/core_pattern", "kernel/hostname", "vm/drop_caches"])
def test_kernel_settings_cannot_be_written(machine, box, setting):
    assert machine.ssh(box, f"echo x > /proc/sys/{setting}").returncode != 0


def test_no_capability_is_left_and_none_can_be_gained(machine, box):
    status = machine.run(box, "grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status").split()

    assert status[1::2] == ["0000000000000000"] * 4 + ["1"]


def test_the_root_cannot_be_remounted(machine, box):
    code = "import ctypes; print('did', ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None))"

    assert attempt(machine, box, code).strip() == "did -1"


def test_no_device_can_be_made_and_no_gpu_is_there(machine, box):
    said = attempt(machine, box, "import os, stat; os.mknod('/tmp/x', stat.S_IFCHR | 0o666, os.makedev(195, 0))")

    assert "PermissionError" in said
    assert "nvidia" not in machine.run(box, "ls /dev")


def test_nothing_runs_as_root_on_the_host(machine, box, as_root):
    init = machine.box(box).process(INIT)

    assert pathlib.Path(f"/proc/{init.pid}").stat().st_uid in (0, machine.settings.uid_first + 1)
    assert _uids(init.pid) == {machine.settings.uid_first + 1}
    assert machine.run(box, "id -u").strip() == str(machine.settings.uid_first + 1)


def test_another_person_is_another_user_and_cannot_reach_ones_disk(machine, box, as_root):
    mount = machine.disk(owner_number=2)
    other = machine.start(owner_number=2, slots=(1,), mount=mount).server_id

    assert machine.run(other, "id -u").strip() == str(machine.settings.uid_first + 2)
    assert machine.ssh(other, f"ls {pathlib.Path(mount.source).parent}").returncode != 0


def test_a_setuid_copy_on_ones_disk_cannot_be_reached_by_others_on_the_host(machine, box):
    machine.run(box, "cp /usr/bin/id . && chmod 4755 id")

    assert (machine.folder / "disks").stat().st_mode & 0o077 == 0


def test_a_link_in_place_of_what_gpudev_writes_is_not_followed(machine, box, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("whole")
    notice = machine.box(box).run / "notice"
    notice.unlink()
    notice.symlink_to(victim)

    machine.compute.configure(box, machine.files(notice=b"overwritten?\n"))

    assert victim.read_text() == "whole"
    assert notice.read_bytes() == b"overwritten?\n"
    assert not notice.is_symlink()


def test_memory_is_limited_where_this_system_allows_it(machine):
    if "memory" not in machine.compute.describe()["limits"]:
        pytest.skip("this system lets gpudev set no limit of memory")
    box = machine.start(memory_bytes=200_000_000).server_id

    done = machine.ssh(box, f"{interpreter.find_interpreter().program} -c 'x = bytearray(400_000_000); print(1)'")

    assert done.stdout == ""
    assert machine.compute.observe(box).phase is Phase.READY


def test_what_the_operator_shares_is_seen_as_said(tmp_path_factory, machine):
    shared = tmp_path_factory.mktemp("shared")
    shared.chmod(0o777)
    (shared / "data").write_text("numbers")
    machine.settings = LocalSettings(free_floor_bytes=0, paths=[f"{shared}:ro"])
    machine.again()
    box = machine.start().server_id

    assert machine.run(box, f"cat {shared}/data") == "numbers"
    assert machine.ssh(box, f"touch {shared}/new").returncode != 0


def test_limits_leave_no_group_behind(machine):
    box = machine.start(cpus=1.0, memory_bytes=2**30).server_id
    groups = machine.box(box).intent().groups

    machine.stop(box)

    assert not any(os.path.exists(group) for group in groups)


def _uids(pid: int) -> set[int]:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {int(number) for number in status.partition("Uid:")[2].split()[:4]}
