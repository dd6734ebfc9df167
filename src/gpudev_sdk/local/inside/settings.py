"""What /run/gpudev says now, as seen from inside the box."""

from __future__ import annotations

import contextlib
import json
import pathlib

import asyncssh


class RunFolder:
    """The folder that gpudev writes and the box only reads."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def stamps(self) -> list[tuple[int, int] | None]:
        """Return what changes when one of the watched files does."""
        return [self._stamp(name) for name in ("host_key", "host_key-cert.pub", "reservation.json", "notice")]

    def read_keys(self) -> set[bytes]:
        """Return the public keys that may in, as they are now; a line that is no key is passed over."""
        keys = set()
        for line in self._read("authorized_keys").splitlines():
            with contextlib.suppress(asyncssh.KeyImportError):
                keys.add(asyncssh.import_public_key(line).public_data)
        return keys

    def read_notice(self) -> str:
        """Return the text for every terminal."""
        return self._read("notice").decode(errors="replace").strip()

    def allows_agent(self) -> bool:
        """Say whether the person asked for agent forwarding."""
        with contextlib.suppress(ValueError):
            about = json.loads(self._read("reservation.json"))
            return isinstance(about, dict) and about.get("agent_forwarding") is True
        return False

    def host_keys(self) -> list[object]:
        """Return the host key, with its certificate where there is one."""
        key = asyncssh.import_private_key(self._read("host_key"))
        certificate = self._read("host_key-cert.pub")
        return [(key, asyncssh.import_certificate(certificate))] if certificate else [key]

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _stamp(self, name: str) -> tuple[int, int] | None:
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns
