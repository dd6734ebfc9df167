"""What is said when the waiting is over: how to get in, or why there is no box."""

from __future__ import annotations

from gpudev_cli import when, words
from gpudev_sdk.client.boxes import open_box
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict, GpudevError, NoCapacity, TimedOut


def error_of(row: Reservation) -> GpudevError:
    """Return the error for a reservation that ended before it was ready."""
    again = "`gpudev show` has its history; `gpudev avail` shows what could start now."
    why = row.detail or "it did not come up"
    if row.end_reason == "cancelled":
        return Conflict(f"{row.name} was cancelled", hint=f"Its history: gpudev show {row.id}")
    if row.started_at is None and row.end_reason == "failed" and row.attempt <= 1 and not row.node:
        return TimedOut(f"{row.name} got no room: {why}", hint=again)
    if row.end_reason in ("expired", "preempted"):
        return NoCapacity(f"{row.name} ended ({row.end_reason}): {why}", hint=again)
    return GpudevError(f"{row.name} failed: {why}", hint=f"Its history: gpudev show {row.id}")


def say_ready(calls: Calls, row: Reservation, *, agent: bool, as_json: bool, included: bool) -> None:
    """Say how to get into a box, and until when."""
    box = open_box(calls, row, agent=agent)
    if as_json:
        words.json(row)
        return
    words.say(f"{row.name} is ready until {when.both(row.expires_at)}.")
    for note in _notes(row):
        words.note(note)
    words.say(f"  gpudev connect {row.name}")
    words.say(f"  ssh {box.alias}" if included else f"  ssh -F {box.config} {box.alias}")


def _notes(row: Reservation) -> list[str]:
    # What is as people expect is left to `gpudev show`.
    told = {name: value for name, value in row.notes.items() if name == "pretended" or value == "none"}
    notes = [f"{name}: {value}" for name, value in sorted(told.items())]
    return [f"  ({', '.join(notes)})"] if notes else []
