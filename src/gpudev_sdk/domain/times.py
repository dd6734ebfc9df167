"""Durations and moments as people write them. Every function takes `now`; nothing here reads a clock."""

from __future__ import annotations

import datetime as dt
import re

from gpudev_sdk.errors import InvalidRequest

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
_UNITS = {"m": MINUTE, "h": HOUR, "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}
_DURATION = re.compile(r"(?:\d{1,6}(?:\.\d{1,3})?[mhdw])+\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
_UNTIL = re.compile(r"until\s+(\d{1,2}):(\d{2})\Z")
_NEXT_STEP = "Write a time like 90m, 4h, 2d, 1h30m or 'until 18:00'."


def check_aware(moment: dt.datetime) -> dt.datetime:
    """Return `moment` if it carries a time zone; a naive one is a fault of the caller (ValueError)."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment


def parse_duration(text: str, *, now: dt.datetime) -> dt.timedelta:
    """Read a duration: `90m`, `4h`, `1.5h`, `2d`, `1h30m`, bare hours, or `until 18:00` in `now`'s zone."""
    text = text.strip()
    until = _UNTIL.match(text)
    if until:
        return _until(int(until[1]), int(until[2]), now)
    if re.match(r"\d{1,5}(\.\d{1,3})?\Z", text):
        return float(text) * HOUR
    if not text.isascii() or not _DURATION.match(text):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise InvalidRequest(f"{shown!r} is not a time", field="duration", hint=_NEXT_STEP)
    return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), dt.timedelta())


def _until(hour: int, minute: int, now: dt.datetime) -> dt.timedelta:
    if hour > 23 or minute > 59:
        raise InvalidRequest(f"{hour}:{minute:02} is not a time of day", field="duration", hint=_NEXT_STEP)
    end = check_aware(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    if end <= now:
        end += dt.timedelta(days=1)
    return end - now


def format_duration(duration: dt.timedelta) -> str:
    """Write a duration as people say it, in at most two units: `2 d 3 h`, `1 h 30 min`, `45 s`."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    units = (("d", seconds // 86400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60))
    parts = [f"{number} {unit}" for unit, number in units if number]
    return " ".join(parts[:2])
