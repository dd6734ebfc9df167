"""The end of a service: SIGTERM or SIGINT, and after that a bound however long anything hangs."""

from __future__ import annotations

import os
import signal
import threading

import structlog

#: Kubernetes kills after 30 s by default; whoever deploys us counts on 15.
LONGEST = 12.0

log = structlog.get_logger()


class Ending:
    """Whether the service was told to end."""

    def __init__(self, longest: float = LONGEST) -> None:
        self.over = threading.Event()
        self._longest = longest

    def listen(self) -> None:
        """Take the process's signals; called from its main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.tell())

    def tell(self) -> None:
        """End in order, or after the bound all the same: rows and leases let others find what was left."""
        if not self.over.is_set():
            cutting = threading.Timer(self._longest, self._cut)
            cutting.daemon = True
            cutting.start()
        self.over.set()

    def _cut(self) -> None:
        log.error("ended with work left, which others take up", seconds=self._longest)
        os._exit(1)
