"""Starts one box: everything is written down first, then a supervisor is left to itself with what it needs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import time

import attrs

from gpudev_sdk import fault
from gpudev_sdk.domain.server import ServerId, ServerSpec
from gpudev_sdk.errors import Conflict, TryLater
from gpudev_sdk.local import cgroups, locks, markers, runfiles, sockets, space
from gpudev_sdk.local.boxes import INTENT, SUPERVISOR, Box, Intent, Shelf
from gpudev_sdk.local.building import Plan, box_command, prepare
from gpudev_sdk.local.interpreter import find_interpreter
from gpudev_sdk.local.isolation import Isolation
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.providers.context import Context

_SUPERVISOR_LEAVES = 20.0


@attrs.frozen(kw_only=True)
class Ground:
    """What every launch on this machine needs."""

    settings: LocalSettings
    context: Context
    shelf: Shelf
    isolation: Isolation
    boot: str

    def uid_of(self, owner_number: int) -> int:
        """Return as whom a person's boxes run."""
        return self.settings.uid_first + owner_number if os.geteuid() == 0 else os.geteuid()


def may_start(shelf: Shelf, server_id: ServerId, boot: str) -> bool:
    """Say whether an attempt was neither ended nor ever started on this run of the machine."""
    if shelf.is_buried(server_id):
        return False
    box = shelf.at(server_id)
    intent = box.intent()
    return intent is None or intent.boot != boot or box.read(SUPERVISOR) is None


def launch(ground: Ground, spec: ServerSpec, devices: tuple[pathlib.Path, ...]) -> None:
    """Start a box, which `may_start` allowed."""
    box = ground.shelf.at(spec.server_id)
    space.check_floor(ground.context.data_folder, ground.settings.free_floor_bytes)
    with contextlib.ExitStack() as held:
        volume = _lock_disk(ground, spec, held)
        try:
            box.folder.mkdir(mode=0o700, exist_ok=True)
            lock = box.take_lock()
            if lock is None:
                return
            held.callback(os.close, lock)
            # Asked again under the lock, as an end may have come between.
            if may_start(ground.shelf, spec.server_id, ground.boot):
                _start(ground, spec, Plan(box=box, volume=volume, devices=devices, lock=lock), held)
        except OSError as error:
            raise TryLater(f"the box cannot be started: {error.strerror or error}") from error


def _lock_disk(ground: Ground, spec: ServerSpec, held: contextlib.ExitStack) -> tuple[pathlib.Path, int] | None:
    if spec.mount is None:
        return None
    volume = pathlib.Path(spec.mount.source)
    markers.check(volume, ground.context.install_id, spec.mount.disk_id)
    space.check_floor(volume, ground.settings.free_floor_bytes)
    try:
        lock = locks.take(volume)
    except Conflict as error:
        raise TryLater(error.message, hint=error.hint) from error
    held.callback(os.close, lock)
    return volume, lock


def _start(ground: Ground, spec: ServerSpec, plan: Plan, held: contextlib.ExitStack) -> None:
    box = plan.box
    socket = sockets.path_for(ground.context.data_folder, spec.server_id)
    groups = cgroups.plan(str(spec.server_id), cpus=spec.cpus, memory_bytes=spec.memory_bytes)
    box.forget_run()
    intent = Intent(
        boot=ground.boot,
        uid=ground.uid_of(spec.owner_number),
        isolation=ground.isolation.kind,
        socket=str(socket),
        volume="" if plan.volume is None else str(plan.volume[0]),
        created_at=time.time(),
        groups=tuple(str(group.folder) for group in groups),
    )
    fault.point("local.launch.intend")
    box.write(INTENT, attrs.asdict(intent))
    fault.point("local.launch.intended")
    cgroups.make(groups)
    runfiles.make_folder(box.run, intent.uid)
    runfiles.put_files(box.run, spec.files)
    tmp = prepare(plan, spec, intent.uid, ground.settings)
    listening = held.enter_context(sockets.listen(socket))
    command, handed_on = box_command(ground, spec, plan, (tmp, listening.fileno()), held)
    _leave_to_supervisor(ground, box, [str(group.tasks) for group in groups], command, handed_on)
    fault.point("local.launch.started")


def _leave_to_supervisor(ground: Ground, box: Box, groups: list[str], command: list[str], handed_on: list[int]) -> None:
    words = [str(box.folder), str(ground.shelf.grave_of(box.server_id)), "\n".join(groups)]
    words += [",".join(map(str, handed_on)), *command]
    log = os.open(box.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        leaving = subprocess.Popen(
            find_interpreter().command(ground.isolation.supervisor, *words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=handed_on,
            start_new_session=True,
            cwd="/",
            env={},
        )
    finally:
        os.close(log)
    # It forks at once and the first of the two ends, so that the supervisor is nobody's child.
    try:
        code = leaving.wait(_SUPERVISOR_LEAVES)
    except subprocess.TimeoutExpired as error:
        raise TryLater("the supervisor does not come up; the machine is very busy") from error
    if code:
        raise TryLater(f"the supervisor ended with status {code}", hint=f"See {box.log}.")
