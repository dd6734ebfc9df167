"""The one place of the client that reads a clock: for what people are told, and for a token's end."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """Return the time with the zone of this machine."""
    return dt.datetime.now().astimezone()
