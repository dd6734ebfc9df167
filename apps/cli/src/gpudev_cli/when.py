"""Moments and sizes as people say them."""

from __future__ import annotations

import datetime as dt

from gpudev_sdk.client.clock import now
from gpudev_sdk.domain.times import format_duration


def _zoned(moment: dt.datetime) -> dt.datetime:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).astimezone()


def moment(value: dt.datetime | None) -> str | None:
    """Write a moment in this machine's zone: `18:00`, `tomorrow 09:00`, `Tue 3 Dec 09:00`."""
    if value is None:
        return None
    there, today = _zoned(value), now().date()
    clock = there.strftime("%H:%M")
    if there.date() == today:
        return clock
    if there.date() == today + dt.timedelta(days=1):
        return f"tomorrow {clock}"
    year = f" {there.year}" if abs(there.date() - today) > dt.timedelta(days=180) else ""
    return f"{there:%a} {there.day} {there:%b}{year} {clock}"


def distance(value: dt.datetime) -> str:
    """Write how far away a moment is: `in 35 min`, `now`, `5 min ago`."""
    away = _zoned(value) - now()
    if abs(away) < dt.timedelta(seconds=30):
        return "now"
    return f"in {format_duration(away)}" if away > dt.timedelta() else f"{format_duration(-away)} ago"


def both(value: dt.datetime | None) -> str | None:
    """Write a moment and how far away it is: `18:00 (in 35 min)`."""
    return None if value is None else f"{moment(value)} ({distance(value)})"
