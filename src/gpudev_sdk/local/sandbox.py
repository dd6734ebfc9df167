"""The walls of a box, as arguments for bubblewrap. Pure: it looks at paths of this machine and starts nothing.

The root is empty; what is in it is named here. Later arguments lie over earlier ones, so the order is part of the meaning.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterable

import attrs

from gpudev_sdk.errors import Unworkable
from gpudev_sdk.local.etcfiles import FROM_HOST, MADE
from gpudev_sdk.local.settings import SharedPath

HOME = pathlib.Path("/home/dev")
RUN = pathlib.Path("/run/gpudev")
TMP = pathlib.Path("/tmp")
#: Places that are a box's own; what is shared may lie below some of them, never at or above one.
_OWN = tuple(pathlib.Path(path) for path in (HOME, RUN, TMP, "/etc", "/usr", "/var/tmp", "/proc", "/dev", "/sys"))
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: What libraries ask about the machine's own shape: CPUs for everyone, buses and devices for those with GPUs.
_SYS = ("/sys/devices/system",)
_SYS_WITH_GPUS = ("/sys/devices", "/sys/class", "/sys/bus", "/sys/dev", "/sys/module/nvidia", "/sys/module/nvidia_uvm")


@attrs.frozen(kw_only=True)
class Walls:
    """What one box sees of this machine."""

    #: Started as root: real binds, and the box's first program gives up root. Otherwise a user namespace.
    as_root: bool
    name: str
    home: pathlib.Path
    tmp: pathlib.Path
    run: pathlib.Path
    etc: pathlib.Path
    #: Of this machine, read-only: the interpreter and its packages.
    needed: tuple[pathlib.Path, ...]
    shared: tuple[SharedPath, ...] = ()
    #: Device nodes of the GPUs that it holds.
    devices: tuple[pathlib.Path, ...] = ()


def find_bwrap() -> str | None:
    """Return where bubblewrap is."""
    return shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")


def arguments(walls: Walls) -> list[str]:
    """Return what bubblewrap is told, but for the program it runs."""
    _check_places(walls)
    tree = _Tree()
    _system(tree)
    _etc(tree, walls.etc)
    _kernel(tree, walls)
    tree.bind("--bind", walls.tmp, TMP)
    tree.folder(pathlib.Path("/var"))
    tree.arguments += ["--symlink", str(TMP), "/var/tmp"]
    tree.bind("--ro-bind", walls.run, RUN)
    for path in walls.needed:
        tree.bind("--ro-bind", path, path)
    for shared in walls.shared:
        tree.bind("--bind-try" if shared.writable else "--ro-bind-try", shared.path, shared.path)
    tree.bind("--bind", walls.home, HOME)
    return [*_namespaces(walls), *tree.arguments, "--remount-ro", "/", "--chdir", "/", "--clearenv"]


def packed(walls: Walls) -> bytes:
    """Return the arguments in the form of bubblewrap's `--args`, which keeps them out of argv."""
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in arguments(walls))


def mount_points(
    needed: Iterable[pathlib.Path], shared: Iterable[SharedPath]
) -> tuple[tuple[pathlib.Path, pathlib.Path], ...]:
    """Return what is shown below /tmp, as paths relative to it and what is shown there."""
    paths = [*needed, *(pathlib.Path(share.path) for share in shared)]
    return tuple((path.relative_to(TMP), path) for path in paths if TMP in path.parents)


def _check_places(walls: Walls) -> None:
    for path in walls.needed:
        if path == HOME or HOME in path.parents:
            raise Unworkable(
                f"gpudev is installed below {HOME}, which is every box's own home",
                hint=f"Install gpudev elsewhere; this is in the way: {path}",
            )
    for path in (pathlib.Path(shared.path) for shared in walls.shared):
        if any(path == own or path in own.parents for own in _OWN) or HOME in path.parents:
            raise Unworkable(
                f"{path} cannot be shared with boxes: they have their own there",
                hint="Name folders within it in `paths` of this backend's configuration.",
            )


def _namespaces(walls: Walls) -> list[str]:
    common = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", walls.name]
    common += ["--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    if walls.as_root:
        return [*common, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", *common]


def _system(tree: _Tree) -> None:
    tree.bind("--ro-bind", "/usr", "/usr")
    for name in _TOP:
        path = pathlib.Path("/", name)
        if path.is_symlink():
            tree.arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            tree.bind("--ro-bind", path, path)


def _etc(tree: _Tree, made: pathlib.Path) -> None:
    tree.folder(pathlib.Path("/etc"))
    for name in FROM_HOST:
        if pathlib.Path("/etc", name).exists():
            tree.bind("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name in MADE:
        tree.bind("--ro-bind", made / name, f"/etc/{name}")


def _kernel(tree: _Tree, walls: Walls) -> None:
    tree.arguments += ["--proc", "/proc"]
    if walls.as_root:
        tree.arguments += ["--ro-bind", "/proc/sys", "/proc/sys"]
    tree.arguments += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]
    for device in walls.devices:
        tree.bind("--dev-bind", device, device)
    tree.arguments += ["--remount-ro", "/dev"]
    for path in _SYS_WITH_GPUS if walls.devices else _SYS:
        tree.bind("--ro-bind-try", path, path)


class _Tree:
    """Arguments that make a tree, with each folder on the way named, as bubblewrap would make it closed to the box."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self._made: set[pathlib.Path] = set()
        #: Everything shown, and of it what is shown where it lies on this machine.
        self._shown: set[pathlib.Path] = set()
        self._as_it_lies: set[pathlib.Path] = set()

    def bind(self, how: str, source: object, target: object) -> None:
        """Show `source` at `target`."""
        place = pathlib.Path(str(target))
        if how == "--ro-bind" and str(source) == str(target) and self._is_below(place, self._as_it_lies):
            return
        self.folder(place.parent)
        self.arguments += [how, str(source), str(target)]
        self._shown.add(place)
        if str(source) == str(target):
            self._as_it_lies.add(place)

    def folder(self, place: pathlib.Path) -> None:
        """Make a folder and those above it that are not there yet."""
        for folder in reversed([place, *place.parents]):
            if len(folder.parts) > 1 and folder not in self._made and not self._is_below(folder, self._shown):
                self.arguments += ["--perms", "0755", "--dir", str(folder)]
                self._made.add(folder)

    def _is_below(self, place: pathlib.Path, shown: set[pathlib.Path]) -> bool:
        return any(above in shown for above in (place, *place.parents))
