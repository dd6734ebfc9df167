"""Compute on this machine: a box is a process tree in a bubblewrap sandbox, beside a supervisor of its own."""

from __future__ import annotations

import os
import pathlib
import pwd
import threading
from collections.abc import Callable, Mapping

from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.domain.gpu import GpuType, Instance, Node
from gpudev_sdk.domain.server import Claim, ServerId, ServerSpec, Sighting
from gpudev_sdk.errors import NoCapacity, Unworkable
from gpudev_sdk.local import catalogue, cgroups, claim, ending, identity, marked, runfiles, trial
from gpudev_sdk.local.boxes import INIT, Shelf
from gpudev_sdk.local.devices import nodes_of
from gpudev_sdk.local.isolation import NONE, SANDBOX, Isolation
from gpudev_sdk.local.launch import Ground, launch, may_start
from gpudev_sdk.local.looking import Watchman
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.providers.compute import Compute
from gpudev_sdk.providers.context import Context

ZONE = "local"
#: Who started gpudev, and the only person where boxes cannot be kept apart.
OPERATOR = 1


class LocalCompute(Compute):
    """Boxes on this machine."""

    Settings = LocalSettings
    takes = frozenset({MountKind.HOST_PATH})
    is_here = True

    def __init__(
        self, settings: LocalSettings, context: Context, *, boot_id: Callable[[], str] = identity.boot_id
    ) -> None:
        self._settings = settings
        self._context = context
        self._boot_id = boot_id
        self._shelf = Shelf(context.data_folder, context.install_id)
        self._watchman = Watchman(self._shelf)
        self._trying = threading.Lock()
        self._isolation: Isolation | None = None

    def gpu_types(self) -> tuple[GpuType, ...]:
        return catalogue.gpu_types(self._settings)

    def get_availability_zones(self) -> tuple[str, ...]:
        return (ZONE,)

    def list_instances(self) -> tuple[Instance, ...]:
        return (Instance(id=catalogue.node_name(), type="this machine", zone=ZONE, state="running"),)

    def nodes(self) -> tuple[Node, ...]:
        return catalogue.nodes(self._settings, self._whose())

    def launch(self, spec: ServerSpec) -> None:
        if not may_start(self._shelf, spec.server_id, self._boot_id()):
            return
        self._check(spec)
        launch(self._ground(), spec, nodes_of(self._settings, spec.gpu_type, spec.slots))

    def observe(self, server_id: ServerId) -> Sighting:
        return self._watchman.observe(server_id, self._boot_id())

    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        box = self._shelf.find(server_id)
        if box is not None and box.run.is_dir():
            runfiles.put_files(box.run, files)

    def terminate(self, server_id: ServerId) -> None:
        ending.end(self._shelf, server_id, self._boot_id())

    def list_servers(self) -> tuple[ServerId, ...]:
        return tuple(box.server_id for box in self._shelf.all())

    def read_claim(self) -> Claim | None:
        return claim.read(self._context.data_folder)

    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        claim.write(self._context.data_folder, new, expected)

    def describe(self) -> dict[str, str]:
        isolation = self.isolation()
        described = {
            "isolation": isolation.kind,
            "network": "the host's; localhost is shared with everyone on this machine",
            "runs as": _whom(self._settings),
            "limits": cgroups.described(),
        }
        if isolation.kind == NONE:
            described["isolation"] = f"{NONE}: {isolation.reason}"
        if self._settings.pretend:
            described["pretended"] = self._settings.pretend
        return described

    def isolation(self) -> Isolation:
        """Return whether boxes are kept apart here: tried at first use, then known for this process's life."""
        with self._trying:
            if self._isolation is None:
                self._shelf.open()
                self._isolation = trial.try_out(self._settings, self._context.data_folder)
            return self._isolation

    def _ground(self) -> Ground:
        return Ground(
            settings=self._settings,
            context=self._context,
            shelf=self._shelf,
            isolation=self.isolation(),
            boot=self._boot_id(),
        )

    def _check(self, spec: ServerSpec) -> None:
        """Refuse what this machine cannot run, before anything is made."""
        if spec.image is not None:
            raise Unworkable("boxes here have no images: they see this machine's programs", hint="Leave the image out.")
        if spec.profile is not None:
            raise Unworkable("boxes here have no profiles", hint="Leave --profile out.")
        if spec.mount is not None and spec.mount.kind not in self.takes:
            raise Unworkable(
                f"boxes of this machine have folders of it as disks, and {spec.mount.source[:80]!r} is a {spec.mount.kind.value}",
                hint='Set storage = "local" in this backend.',
            )
        if spec.node != catalogue.node_name():
            raise Unworkable(f"{spec.node[:80]!r} is not this machine, which is {catalogue.node_name()!r}")
        if any(not name or "=" in name or "\0" in name + value for name, value in spec.env.items()):
            raise Unworkable("an environment variable has a name or a value that no program can be given")
        kind = next((kind for kind in self.gpu_types() if kind.name == spec.gpu_type), None)
        if kind is None:
            raise NoCapacity(f"this machine has no {spec.gpu_type[:80]!r} now")
        if spec.gpus > kind.gpus_per_node or len(spec.slots) > kind.slots:
            raise NoCapacity(f"this machine has {kind.slots} of {kind.name}, and the box asks for more")
        self._check_person(spec)

    def _check_person(self, spec: ServerSpec) -> None:
        isolation = self.isolation()
        root = os.geteuid() == 0
        if isolation.kind == NONE and root:
            raise Unworkable(
                f"boxes cannot be kept apart here ({isolation.reason}), and nothing of a box runs as root",
                hint=isolation.hint or "Start gpudev as an ordinary user, or make bubblewrap work.",
            )
        if spec.owner_number == OPERATOR:
            return
        if isolation.kind == NONE:
            raise Unworkable(
                f"only the operator may have a box here: {isolation.reason}",
                hint=isolation.hint or "Ask the operator of this machine.",
            )
        if not root:
            raise Unworkable(
                "gpudev was started as an ordinary user, so this install has one person",
                hint="Start it as root to share this machine: each person then gets a user of their own.",
            )

    def _whose(self) -> Callable[[int], bool]:
        """Return what says whether a process is of one of our boxes."""
        boot = self._boot_id()
        spaces, runs = set(), []
        for box in self._shelf.all():
            init = box.process(INIT)
            intent = box.intent()
            if init is None or intent is None or not identity.is_alive(init, boot):
                continue
            if intent.isolation == SANDBOX:
                spaces.add(_pid_namespace(init.pid) or -1)
            else:
                runs.append(box.run)
        return lambda pid: _pid_namespace(pid) in spaces or any(marked.is_of(pid, run) for run in runs)


def _pid_namespace(pid: int) -> int:
    """Return the pid namespace of a process; 0 where it cannot be told, which is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/ns/pid").stat().st_ino
    except OSError:
        return 0


def _whom(settings: LocalSettings) -> str:
    uid = os.geteuid()
    if uid == 0:
        return f"a host user of their own for each person, from {settings.uid_first}"
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"
