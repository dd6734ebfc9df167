"""One module a command, imported when the command runs; each has its click command as `command`."""

from __future__ import annotations
