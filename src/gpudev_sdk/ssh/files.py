"""Writes the client's ssh files: ours whole or not at all, and in the person's own file one `Include` line, on consent."""

from __future__ import annotations

import os
import pathlib
import re
import stat

from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh.config import MAX_CONTROL_FOLDER
from gpudev_sdk.ssh.once import replace

_UNSAFE = re.compile(r'["\\*?\[\]\x00-\x1f\x7f]|\$\{')
BY_HAND = "Use it without that line: ssh -F {path} NAME.gpudev."


def write(path: pathlib.Path, text: str) -> None:
    """Put one of our files in place: 0600, in a folder that only its owner enters; an equal one is left alone."""
    try:
        content = text.encode("utf-8")
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            return
        replace(path, content)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="See that the folder is yours."
        ) from error


def control_folder(ours: pathlib.Path) -> pathlib.Path | None:
    """Return a 0700 folder with a path short enough for sockets of shared connections, or None where there is none.

    It is below `ours` if that is short; otherwise in /tmp, where it counts only if it is ours and closed to all others.
    """
    beside = ours / "c"
    # A percent sign is written twice.
    if len(str(beside).replace("%", "%%").encode()) <= MAX_CONTROL_FOLDER:
        return beside if _is_ours(beside) else None
    elsewhere = pathlib.Path("/tmp") / f"gpudev-ssh-{os.getuid()}"
    return elsewhere if _is_ours(elsewhere) else None


def _is_ours(folder: pathlib.Path) -> bool:
    """Make a folder if need be, and say whether it is ours alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def include_line(ours: pathlib.Path) -> str:
    """Return the line that makes ssh read our file; raise ConfigError for a path that cannot stand in it."""
    text = str(ours)
    if not ours.is_absolute() or _UNSAFE.search(text):
        hint = BY_HAND.format(path=ours)
        raise ConfigError(f"the path {text!r} cannot stand in an ssh configuration", hint=hint)
    return f'Include "{text}"'


def has_include(config: pathlib.Path, ours: pathlib.Path) -> bool:
    """Say whether the person's configuration begins with our line; further down it may belong to one host only."""
    first = _content(config).split(b"\n", 1)[0]
    return first.rstrip(b"\r").strip() == _line(ours)


def add_include(config: pathlib.Path, ours: pathlib.Path) -> None:
    """Put our line first; everything else stays as it is, byte for byte. Asked for again, nothing changes."""
    if has_include(config, ours):
        return
    if not config.parent.is_dir():
        config.parent.mkdir(mode=0o700)
    _put(config, _line(ours) + b"\n" + _without(_content(config), ours))


def remove_include(config: pathlib.Path, ours: pathlib.Path) -> None:
    """Take our line out again, wherever it is; everything else stays."""
    before = _content(config)
    after = _without(before, ours)
    if after != before:
        _put(config, after)


def _line(ours: pathlib.Path) -> bytes:
    return include_line(ours).encode()


def _without(content: bytes, ours: pathlib.Path) -> bytes:
    wanted = _line(ours)
    return b"".join(line for line in content.splitlines(keepends=True) if line.strip() != wanted)


def _content(config: pathlib.Path) -> bytes:
    try:
        found = config.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{config} is not a file", hint="Look at it; nothing was changed.")
        return config.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{config} cannot be read: {error.strerror}", hint="Nothing was changed.") from error


def _put(config: pathlib.Path, content: bytes) -> None:
    """Write where the path leads: a configuration kept elsewhere and linked stays linked, with its mode and owner."""
    target = pathlib.Path(os.path.realpath(config))
    try:
        found = target.stat()
        mode, owner = stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid)
    except FileNotFoundError:
        mode, owner = 0o600, (os.geteuid(), os.getegid())
    try:
        replace(target, content, mode, owner)
    except OSError as error:
        raise ConfigError(f"{config} cannot be written: {error.strerror}", hint="Nothing was changed.") from error
