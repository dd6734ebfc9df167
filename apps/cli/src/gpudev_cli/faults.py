"""Keeps the trace of a fault of ours for its authors, where only the user reads it."""

from __future__ import annotations

import os
import pathlib
import tempfile
import traceback
from types import TracebackType


def keep_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> pathlib.Path:
    """Write the trace to a new file (0600) and return its path."""
    handle, name = tempfile.mkstemp(prefix="gpudev-fault-", suffix=".txt")
    text = "".join(traceback.format_exception(kind, error, trace))
    os.write(handle, text.encode("utf-8", errors="backslashreplace"))
    os.close(handle)
    return pathlib.Path(name)
