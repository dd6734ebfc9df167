"""Finds out whether boxes are kept apart here: a trial box attacks, and what it manages decides.

Never concluded from a program being installed or a setting being on.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator

from gpudev_sdk.errors import Unworkable
from gpudev_sdk.local import sandbox
from gpudev_sdk.local.building import make_mount_points
from gpudev_sdk.local.etcfiles import write_etc
from gpudev_sdk.local.handing import memory_file, own_folder
from gpudev_sdk.local.identity import start_time
from gpudev_sdk.local.interpreter import find_interpreter
from gpudev_sdk.local.isolation import NONE, SANDBOX, Isolation
from gpudev_sdk.local.settings import LocalSettings

_TIMEOUT = 15.0
_ALLOW = "Start gpudev as root, or let bubblewrap make user namespaces (Ubuntu: an AppArmor profile for it)."
_INSTALL = "Install bubblewrap (Debian, Ubuntu: apt install bubblewrap) and start gpudev again."


def try_out(settings: LocalSettings, data_folder: pathlib.Path) -> Isolation:
    """Run the trial box and return what it proved; takes a fraction of a second."""
    bwrap = sandbox.find_bwrap()
    if bwrap is None:
        return Isolation(NONE, "bubblewrap is not installed", _INSTALL)
    place = pathlib.Path(tempfile.mkdtemp(prefix="trial-", dir=data_folder))
    try:
        return _judge(_attack(bwrap, settings, place))
    except Unworkable as error:
        return Isolation(NONE, error.message, error.hint or "")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Isolation(NONE, f"the trial box could not be made: {error}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _judge(ended: subprocess.CompletedProcess[bytes]) -> Isolation:
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"exit status {ended.returncode}"
        return Isolation(NONE, f"this system lets bubblewrap make no box: {why}", _ALLOW)
    managed = json.loads(ended.stdout)
    if managed:
        return Isolation(NONE, f"a trial box {', '.join(managed)}")
    return Isolation(SANDBOX)


def _attack(bwrap: str, settings: LocalSettings, place: pathlib.Path) -> subprocess.CompletedProcess[bytes]:
    as_root = os.geteuid() == 0
    uid = settings.uid_first if as_root else os.geteuid()
    walls = _walls(settings, place, uid, as_root=as_root)
    with contextlib.ExitStack() as held:
        prey = memory_file(json.dumps(_prey(place, uid, held)).encode(), held)
        words = memory_file(sandbox.packed(walls), held)
        program = find_interpreter().command("inside.probe", str(prey))
        return subprocess.run(
            [bwrap, "--args", str(words), "--", *program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=(prey, words),
            timeout=_TIMEOUT,
            env={},
            check=False,
        )


def _walls(settings: LocalSettings, place: pathlib.Path, uid: int, *, as_root: bool) -> sandbox.Walls:
    home, tmp, run, etc = (place / name for name in ("home", "tmp", "run", "etc"))
    own_folder(home, uid)
    own_folder(tmp, uid, 0o1777)
    make_mount_points(tmp, uid, settings)
    run.mkdir()
    write_etc(etc, uid, "trial")
    return sandbox.Walls(
        as_root=as_root,
        name="trial",
        home=home,
        tmp=tmp,
        run=run,
        etc=etc,
        needed=find_interpreter().needed,
        shared=settings.shared_paths,
    )


def _prey(place: pathlib.Path, uid: int, held: contextlib.ExitStack) -> dict[str, object]:
    """Set out what a box must not get at, each as easy to have as it could be."""
    other = place / "other"
    own_folder(other, uid)
    for file in (place / "file", other / "file"):
        file.write_text("prey")
        file.chmod(0o644)
    listening = held.enter_context(socket.socket(socket.AF_UNIX))
    # A short name, as the data folder may be longer than a socket's address.
    with _in_folder(place) as here:
        listening.bind(f"/proc/self/fd/{here}/s")
    listening.listen()
    (place / "s").chmod(0o777)
    return {
        "uid": uid,
        "file": str(place / "file"),
        "folder": str(place),
        "home": str(other / "file"),
        "socket": str(place / "s"),
        "pid": os.getpid(),
        "start": start_time(os.getpid()),
        "namespace": pathlib.Path("/proc/self/ns/pid").stat().st_ino,
    }


@contextlib.contextmanager
def _in_folder(folder: pathlib.Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
