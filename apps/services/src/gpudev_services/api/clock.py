"""The one place of the API that reads a clock: for the short life of a login's nonce."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """Return the time with its zone."""
    return dt.datetime.now(dt.UTC)
