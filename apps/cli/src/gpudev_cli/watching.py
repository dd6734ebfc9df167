"""Shows something again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

INTERVAL = 2.0


def repeat(show: Callable[[], None], *, watch: bool) -> None:
    """Show once; with `watch` every two seconds, on a terminal in place of the last."""
    while True:
        if watch and sys.stdout.isatty():
            click.clear()
        show()
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(INTERVAL)
