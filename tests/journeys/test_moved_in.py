"""docs/operate/from-opentofu.md: a home of the old system goes into a box, by the page's own commands, and is whole there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess

import pytest

from tests.fix_install import until
from tests.pages import commands, lines

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed"),
]
PAGE = "docs/operate/from-opentofu.md"
#: The number of the old system's user.
OLD_USER = 1081
_LEFT_OUT = "! -path './lost+found*'"
#: Kind, rights, name and goal of all there is, and what is in it.
_LOOK = f"find . -mindepth 1 {_LEFT_OUT} -printf '%y %m %P %l\\n' && find . -type f {_LEFT_OUT} -exec sha256sum {{}} +"


def shown(program):
    """Return the page's one command of a program."""
    (found,) = commands(PAGE, program)
    return found


@pytest.fixture
def old(tmp_path):
    """What is on the old disk, of all kinds that a home has, and of another user's number."""
    home = tmp_path / "old"
    for folder in ("src/deep", "empty", ".ssh", "lost+found"):
        (home / folder).mkdir(parents=True)
    for name, content in (("notes", b"precious\n"), ("src/deep/a file\nof two lines", b"\0\xff"), (".ssh/id", b"key")):
        (home / name).write_bytes(content)
    (home / "src" / "weights").write_bytes(os.urandom(3 << 20))
    (home / "src" / "run").write_bytes(b"#!/bin/sh\n")
    (home / "lost+found" / "lost").write_bytes(b"nobody's")
    (home / "latest").symlink_to("src/weights")
    for name, mode in ((".ssh", 0o700), (".ssh/id", 0o600), ("src/run", 0o755), ("src", 0o2775), ("notes", 0o400)):
        (home / name).chmod(mode)
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, OLD_USER, OLD_USER, follow_symlinks=False)
        (home / "roots").write_bytes(b"made with sudo")
        (home / "roots").chmod(0o600)
    return home


@pytest.fixture
def box(install):
    """A box with a disk, made as the page says."""
    for program in ("gpudev disk create", "gpudev reserve"):
        install.cli(*shown(program)[1:])
    yield install
    install.cli("cancel", "work", "--wait")
    install.cli("disk", "delete", "work", "--yes")


@pytest.fixture
def helper(box, tmp_path):
    """Return what begins the page's copy in a shell, with a folder for `/mnt`; `sudo` does nothing, `ssh` knows this install."""
    programs = tmp_path / "bin"
    programs.mkdir()
    ssh = " ".join([shutil.which("ssh"), *box.ssh_command("work")[1:-1]])
    for name, does in (("sudo", 'case $1 in --user=kim) shift;; esac; exec "$@"'), ("ssh", f'exec {ssh} "$@"')):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    environment = box.environment | {"PATH": f"{programs}:{box.environment['PATH']}", "USER": "kim"}
    (line,) = lines(PAGE, "sudo find")

    def begin(home, *more):
        typed = line.replace("/mnt", str(home)).replace(" work.gpudev:", f" {' '.join(more)} work.gpudev:")
        return subprocess.Popen(
            ["bash", "-c", typed], env=environment, start_new_session=True, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return begin


@pytest.fixture
def copy(helper):
    """Return what copies a folder, and returns the names of the files that were sent."""

    def done(home):
        begun = helper(home, "--out-format='%i %n'")
        said, wrong = begun.communicate(timeout=120)
        assert (begun.returncode, wrong) == (0, "")
        return {line.split(" ", 1)[1] for line in said.splitlines() if line.startswith("<f")}

    return done


def is_whole(install, home):
    """See that all of the old home is in the box, and that the box's user owns it."""
    there = subprocess.run(["sh", "-c", _LOOK], cwd=home, capture_output=True, text=True, check=True)
    arrived = install.ssh("work", f"cd && {_LOOK}").stdout.splitlines()
    assert [line for line in there.stdout.splitlines() if line not in arrived] == []
    assert install.ssh("work", 'find ~ -mindepth 1 "(" ! -uid "$(id -u)" -o ! -gid "$(id -g)" ")"').stdout == ""


def test_a_home_arrives_whole_as_the_boxs_users_own(box, copy, old):
    copy(old)

    is_whole(box, old)
    assert box.ssh("work", "ls ~/lost+found", ok=False).returncode != 0


def test_it_is_on_the_disk_and_in_the_next_box(box, copy, old):
    copy(old)
    box.cli("cancel", "work", "--wait")
    box.cli(*shown("gpudev reserve")[1:])

    is_whole(box, old)


def test_the_second_time_only_what_changed_is_sent(box, copy, old):
    assert "notes" in copy(old)
    assert copy(old) == set()
    (old / "src" / "run").write_bytes(b"#!/bin/sh\necho changed\n")
    (old / "new").write_bytes(b"new")

    assert copy(old) == {"src/run", "new"}
    is_whole(box, old)


def test_what_was_made_in_the_box_meanwhile_stays(box, copy, old):
    copy(old)
    box.ssh("work", "echo mine > ~/mine")
    copy(old)

    assert box.ssh("work", "cat ~/mine").stdout == "mine\n"


def test_a_copy_that_was_cut_off_is_whole_after_the_next(box, helper, copy, old):
    (old / "large").write_bytes(os.urandom(32 << 20))
    begun = helper(old, "--bwlimit=4m")
    until(lambda: box.ssh("work", "find ~ -name '.large.*' -size +1024k").stdout)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()
    assert box.ssh("work", "test -e ~/large", ok=False).returncode != 0

    assert "large" in copy(old)
    is_whole(box, old)
    until(lambda: box.ssh("work", "find ~ -name '.large.*'").stdout == "")


@contextlib.contextmanager
def mounted(words, image, folder):
    """Do the page's mount with the disk in a file."""
    device = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
    if device.returncode != 0:
        pytest.skip("cannot mount a small filesystem here")
    places = {"/dev/nvme1n1": device.stdout.strip(), "/mnt": str(folder)}
    try:
        done = subprocess.run([places.get(word, word) for word in words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a small filesystem here: {done.stderr}")
        yield
    finally:
        subprocess.run(["umount", folder], capture_output=True, check=False)
        subprocess.run(["losetup", "--detach", device.stdout.strip()], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small filesystem takes root")
def test_what_was_written_just_before_the_snapshot_comes_along(box, copy, tmp_path):
    """The old system took snapshots of boxes that wrote; what a box had synced is then in the journal alone."""
    if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("cannot mount a small filesystem: there is no mkfs.ext4")
    disk, snapshot, folder = tmp_path / "disk", tmp_path / "snapshot", tmp_path / "mnt"
    folder.mkdir()
    with disk.open("wb") as made:
        made.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    with mounted(["mount", "/dev/nvme1n1", "/mnt"], disk, folder):
        with (folder / "notes").open("w") as notes:
            notes.write("precious\n")
            notes.flush()
            os.fsync(notes.fileno())
        shutil.copyfile(disk, snapshot)

    with mounted(shown("sudo mount")[1:], snapshot, folder):
        assert copy(folder) == {"notes"}
    assert box.ssh("work", "cat ~/notes").stdout == "precious\n"
