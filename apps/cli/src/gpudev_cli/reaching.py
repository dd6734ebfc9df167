"""Asks the server for the way into a box, when it is not written down, and why there is none."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.boxes import Box, open_box, refresh
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict, GpudevError, NotFound


def reach(server: str | None, name: str | None) -> Box:
    """Return the way into the box of a name, or into one's only one; raise Conflict for one that is not up."""
    with opened(server) as calls:
        row = calls.show(name) if name is not None else _pick(calls)
        if row.state != "active":
            raise not_up(row)
        return open_box(calls, row)


def _pick(calls: Calls) -> Reservation:
    live = calls.list()
    up = [row for row in live if row.state == "active"]
    if len(up) == 1:
        return up[0]
    if not up:
        if live:
            raise not_up(live[0])
        raise NotFound("you have no box", hint="Ask for one: gpudev reserve TYPE TIME.")
    if not words.on_terminal():
        names = ", ".join(row.name for row in up[:5])
        raise Conflict(f"you have several boxes: {names}", hint=f"Say which: gpudev connect {up[0].name}")
    for number, row in enumerate(up, 1):
        words.note(f"  {number}  {row.name}  until {when.both(row.expires_at)}")
    chosen: int = click.prompt("Which", default=1, type=click.IntRange(1, len(up)), err=True)
    return up[chosen - 1]


def not_up(row: Reservation) -> GpudevError:
    """Return the error for a reservation that has no box to get into now."""
    if row.state == "ended":
        return Conflict(f"{row.name} has ended ({row.end_reason})", hint="Reserve again; its disk is still there.")
    if row.state == "stopping":
        return Conflict(f"{row.name} is ending", hint="Reserve again; its disk is still there.")
    start = f", starts about {when.both(row.starts_at)}" if row.starts_at else ""
    return Conflict(f"{row.name} is {row.state}{start}", hint=f"Look: gpudev show {row.name}")


def look_again(server: str | None, box: Box) -> Box | None:
    """Return another way into a box that ssh could not get into; None where ours was right, and ssh or the command failed.

    Raises what says so where the box is gone.
    """
    with opened(server) as calls:
        before = box.config.read_bytes() if box.config.exists() else b""
        try:
            row = calls.show(box.name)
        except NotFound:
            refresh(calls)
            raise
        if row.state != "active":
            refresh(calls)
            raise not_up(row)
        other = open_box(calls, row)
        return other if other != box or other.config.read_bytes() != before else None
