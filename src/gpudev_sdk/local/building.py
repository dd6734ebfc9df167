"""Prepares what a box needs on this machine and the command that runs it.

Secrets go by a memory file that the box's first program reads; argv and records hold paths and numbers alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
from typing import TYPE_CHECKING

import attrs

from gpudev_sdk.domain.server import ServerSpec
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.local import sandbox
from gpudev_sdk.local.boxes import Box
from gpudev_sdk.local.etcfiles import write_etc
from gpudev_sdk.local.handing import give, memory_file, own_folder
from gpudev_sdk.local.interpreter import find_interpreter
from gpudev_sdk.local.isolation import SANDBOX
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.supervisor import GATE, REPORT

if TYPE_CHECKING:
    from gpudev_sdk.local.launch import Ground

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.frozen(kw_only=True)
class Plan:
    """Where one box is to be, and what is locked for it."""

    box: Box
    lock: int
    #: The volume's root and the lock on it; None is a throw-away home.
    volume: tuple[pathlib.Path, int] | None
    #: Device nodes of its GPUs.
    devices: tuple[pathlib.Path, ...]

    @property
    def home(self) -> pathlib.Path:
        """What the box sees as /home/dev."""
        return (self.box.scratch if self.volume is None else self.volume[0]) / "home"


def prepare(plan: Plan, spec: ServerSpec, uid: int, settings: LocalSettings) -> pathlib.Path:
    """Make the box's own folders and return its /tmp, which is new at each start."""
    write_etc(plan.box.etc, uid, spec.name)
    tmp = plan.box.scratch / f"tmp-{secrets.token_hex(4)}"
    own_folder(plan.box.scratch, uid)
    own_folder(tmp, uid, 0o1777)
    if plan.volume is None:
        own_folder(plan.home, uid)
    make_mount_points(tmp, uid, settings)
    return tmp


def make_mount_points(tmp: pathlib.Path, uid: int, settings: LocalSettings) -> None:
    """Make what bubblewrap would make below /tmp as root's own, so that the box's user can remove it in the end."""
    for place, source in sandbox.mount_points(find_interpreter().needed, settings.shared_paths):
        if source.exists():
            _make_mount_point(tmp, place, uid, is_file=source.is_file())


def box_command(
    ground: Ground, spec: ServerSpec, plan: Plan, made: tuple[pathlib.Path, int], held: contextlib.ExitStack
) -> tuple[list[str], list[int]]:
    """Return the command that runs a box, and the descriptors that it is handed.

    `made` is the box's /tmp and the socket on which its SSH server is to answer.
    """
    tmp, listening = made
    alone = ground.isolation.kind == SANDBOX
    ready = os.open(plan.box.ready, _WRITE, 0o600)
    held.callback(os.close, ready)
    kept = [listening, ready, plan.lock] + ([plan.volume[1]] if plan.volume else [])
    config = {
        "uid": ground.uid_of(spec.owner_number),
        "alone": alone,
        "home": str(sandbox.HOME if alone else plan.home),
        "run": str(sandbox.RUN if alone else plan.box.run),
        "tmp": str(sandbox.TMP if alone else tmp),
        "name": spec.name,
        "socket": listening,
        "ready": ready,
        "advice": _advice(spec, alone=alone),
        "env": spec.env,
    }
    configuration = memory_file(json.dumps(config).encode(), held)
    program = find_interpreter().command("inside.begin", GATE, str(configuration), *map(str, kept))
    if not alone:
        return program, [configuration, *kept]
    walls = sandbox.Walls(
        as_root=os.geteuid() == 0,
        name=spec.name,
        home=plan.home,
        tmp=tmp,
        run=plan.box.run,
        etc=plan.box.etc,
        needed=find_interpreter().needed,
        shared=ground.settings.shared_paths,
        devices=plan.devices,
    )
    words = memory_file(sandbox.packed(walls), held)
    wrapper = [_bwrap(), "--args", str(words), "--info-fd", REPORT, "--"]
    return wrapper + program, [words, configuration, *kept]


def _bwrap() -> str:
    found = sandbox.find_bwrap()
    if found is None:
        raise Unworkable("bubblewrap is not there any more", hint="Install bubblewrap and start gpudev again.")
    return found


def _advice(spec: ServerSpec, *, alone: bool) -> dict[str, str]:
    """Return what helps programs to keep to their share; a person may set it otherwise."""
    # Within walls a program sees the box's GPUs alone, counted from 0.
    seen = range(spec.gpus) if alone else spec.slots[: spec.gpus]
    advice = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, seen))}
    if spec.cpus is not None:
        advice["OMP_NUM_THREADS"] = str(max(1, int(spec.cpus)))
    return advice


def _make_mount_point(tmp: pathlib.Path, place: pathlib.Path, uid: int, *, is_file: bool) -> None:
    made = tmp
    for part in place.parts[:-1] if is_file else place.parts:
        made = made / part
        own_folder(made, uid, 0o755)
    if is_file:
        (made / place.name).touch()
        give(made / place.name, uid)
