"""What was acknowledged to anybody, written down and synced before anything else is done with it."""

from __future__ import annotations

import json
import os
import pathlib
import threading
from typing import Any


class Ledger:
    """An append-only file of JSON lines. Safe to use from several threads."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, what: str, **fields: Any) -> None:
        """Write one entry so that it outlasts a crash."""
        line = json.dumps({"what": what, **fields}) + "\n"
        with self._lock:
            os.write(self._file, line.encode())
            os.fsync(self._file)

    def entries(self, what: str) -> list[dict[str, Any]]:
        """Return all entries of one kind, oldest first."""
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["what"] == what]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
