"""Small private files, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator

from gpudev_sdk.errors import ConfigError


@contextlib.contextmanager
def saying(folder: pathlib.Path) -> Iterator[None]:
    """Turn a refusal of the file system into an error that says which folder and what to do."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or folder} cannot be used: {error.strerror or error}",
            hint=f"See to {folder}, or name another folder with GPUDEV_CONFIG.",
        ) from error


def write_private(path: pathlib.Path, content: str | bytes) -> None:
    """Replace a file by one that only its owner reads; a reader sees the old one or the new one whole."""
    with saying(path.parent):
        make_private_folder(path.parent)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            with open(draft, "xb", opener=_owner_only) as out:
                out.write(content.encode() if isinstance(content, str) else content)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def make_private_folder(folder: pathlib.Path) -> None:
    """Make a folder, its parents as the user's umask has them, itself for its owner only."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def find_text(path: pathlib.Path) -> str | None:
    """Return a file's text, or None where there is no such file."""
    with saying(path.parent):
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
