"""The program that copies and removes disks: a detached process, so that neither a stop nor a crash of gpudev tears it.

It runs as whoever started gpudev; what concerns a person's files is done in a child that has become their uid.
`work` starts it. It imports the standard library and our pure modules alone, so it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import errno
import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

from gpudev_sdk.local.copying import Bounds, copy_tree
from gpudev_sdk.local.durable import sync_folder, write_whole
from gpudev_sdk.local.removing import empty
from gpudev_sdk.local.trees import TooMuch, find_entry

HOME = "home"
LINKS = "links"
#: Written last into a finished snapshot: what it is of, how large, since when.
MANIFEST = "snapshot.json"
#: Beside the folder that is worked on: held by its process; why it failed.
LOCK, FAILURE = ".lock", ".failed"
TRASH = "trash-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ChildFailed(Exception):
    """What the child could not do, in words; `off` when trying again is useless."""

    def __init__(self, reason: str, *, off: bool) -> None:
        super().__init__(reason)
        self.off = off


def main() -> None:
    """Do the one job that argv describes."""
    os.umask(0o077)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    job = json.loads(sys.argv[1])
    if job["kind"] == "copy":
        _copy(job)
    else:
        _clear(pathlib.Path(job["folder"]))


def _copy(job: dict[str, Any]) -> None:
    """Copy a home into a prepared folder, sync, and give the folder its final name; or leave a note why not."""
    source, target, final = (pathlib.Path(job[key]) for key in ("source", "target", "final"))
    try:
        try:
            copied = _copy_as_owner(source, target, job)
        finally:
            # The volume's lock: from here on a box may have the volume again.
            for descriptor in job["held"]:
                os.close(descriptor)
        (target / LINKS).rmdir()
        if job["manifest"]:
            manifest = job["manifest"] | copied | {"completed_at": dt.datetime.now(dt.UTC).isoformat()}
            write_whole(target / MANIFEST, json.dumps(manifest).encode())
        _sync(target)
        target.rename(final)
        sync_folder(final.parent)
        target.with_name(f"{target.name}{LOCK}").unlink(missing_ok=True)
        sync_folder(target.parent)
    except (OSError, ChildFailed) as error:
        note = {"reason": _words(error), "off": isinstance(error, ChildFailed) and error.off, "about": job["about"]}
        write_whole(target.parent / f"{target.name}{FAILURE}", json.dumps(note).encode())
        target.rename(target.with_name(f"{TRASH}{target.name}-{os.getpid()}"))
        target.with_name(f"{target.name}{LOCK}").unlink(missing_ok=True)
        _clear(target.parent)


def _copy_as_owner(source: pathlib.Path, target: pathlib.Path, job: dict[str, Any]) -> dict[str, Any]:
    from_root, to_root = os.open(source, _FOLDER), os.open(target, _FOLDER)
    home = find_entry(HOME, from_root)
    owner = os.fstat(home)
    for name in (HOME, LINKS):
        os.mkdir(name, 0o700, dir_fd=to_root)
        if os.geteuid() == 0:
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=to_root, follow_symlinks=False)
    copy, links = (os.open(name, _FOLDER, dir_fd=to_root) for name in (HOME, LINKS))
    bounds = Bounds(**job["bounds"])
    return as_owner(owner, lambda: copy_tree(home, copy, links, bounds, sharing=job["sharing"])._asdict())


def as_owner(owner: os.stat_result, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `do` in a child that has become the owner of a home for good, and return what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, json.dumps(_outcome(owner, do)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    if not text:
        raise ChildFailed(f"the copying process ended with {os.waitstatus_to_exitcode(status)}", off=False)
    outcome: dict[str, Any] = json.loads(text)
    if "reason" in outcome:
        raise ChildFailed(outcome["reason"], off=outcome["off"])
    return outcome


def _outcome(owner: os.stat_result, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        _become(owner)
        _die_with_parent()
        return do()
    except TooMuch as error:
        return {"reason": str(error), "off": True}
    except OSError as error:
        return {"reason": _words(error), "off": False}
    except RecursionError:
        return {"reason": "folders are nested too deep", "off": True}


def _become(owner: os.stat_result) -> None:
    """Give up every privilege; an ordinary user has none to give up. What is made gets its mode from what it copies."""
    os.umask(0)
    if os.geteuid() != 0:
        return
    if owner.st_uid == 0:
        raise OSError(errno.EPERM, "a home belongs to root; nothing of it is touched")
    os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)


def _die_with_parent() -> None:
    """Have the kernel end this child with the job; becoming another user undoes it, so it comes after."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _clear(folder: pathlib.Path) -> None:
    """Remove what was put away; one process at a time, and again until nothing comes after."""
    lock = os.open(folder / "trash.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    stuck: set[pathlib.Path] = set()
    while waiting := set(folder.glob(f"{TRASH}*/")) - stuck:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for trash in waiting:
            try:
                _remove(trash)
            except (OSError, ChildFailed):
                # It stays in the trash, where nothing takes it for a disk, and is tried again with the next removal.
                stuck.add(trash)
        fcntl.flock(lock, fcntl.LOCK_UN)


def _remove(trash: pathlib.Path) -> None:
    root = os.open(trash, _FOLDER)
    try:
        for name in (HOME, LINKS):
            with contextlib.suppress(FileNotFoundError):
                _remove_home(name, root)
    finally:
        os.close(root)
    shutil.rmtree(trash)


def _remove_home(name: str, root: int) -> None:
    entry = find_entry(name, root)
    try:
        owner = os.fstat(entry)
        if owner.st_uid != 0 or os.geteuid() != 0:
            as_owner(owner, lambda: _emptied(entry))
        os.rmdir(name, dir_fd=root)
    finally:
        os.close(entry)


def _emptied(entry: int) -> dict[str, Any]:
    empty(entry)
    return {}


def _sync(folder: pathlib.Path) -> None:
    """Write out everything of the filesystem that the folder is on, and say so if that fails."""
    descriptor = os.open(folder, _FOLDER)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncing the copy failed")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if isinstance(error.filename, str) else error.strerror
    return str(error)
