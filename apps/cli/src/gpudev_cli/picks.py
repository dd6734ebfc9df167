"""Asks on a terminal for what a request lacks; elsewhere what is missing is a usage error."""

from __future__ import annotations

import click
import msgspec

from gpudev_cli import words
from gpudev_cli.asked import Asked
from gpudev_cli.commands.avail import offer
from gpudev_cli.durations import DURATION
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.requests import HOME_DISK
from gpudev_sdk.client.values import Disk
from gpudev_sdk.domain.names import check_name
from gpudev_sdk.errors import InvalidRequest, NotFound
from gpudev_sdk.wire.bodies import ReserveBody
from gpudev_sdk.wire.views import AvailabilityRow

NONE = "none"
DEFAULT_TIME = "4h"


def complete(calls: Calls, asked: Asked, *, dry_run: bool) -> Asked:
    """Return the request with everything in it that it needs: GPU type, count and time."""
    if asked.gpu_type is not None and asked.lasts is not None:
        return asked
    if not words.on_terminal():
        lacks = [name for name, value in (("a GPU type", asked.gpu_type), ("a time", asked.lasts)) if value is None]
        raise click.UsageError(f"{' and '.join(lacks)} must be given", click.get_current_context())
    picked_type = asked.gpu_type is None
    if picked_type:
        row = _ask_type(calls)
        asked = msgspec.structs.replace(asked, gpu_type=row.gpu_type)
        if asked.gpus is None and row.gpu_type != "cpu":
            asked = msgspec.structs.replace(asked, gpus=_ask_count(row))
    if picked_type and not asked.disk_said and not dry_run:
        asked = msgspec.structs.replace(asked, disk=_ask_disk(calls), disk_said=True)
    if asked.lasts is None:
        asked = msgspec.structs.replace(
            asked, lasts=click.prompt("How long", default=DEFAULT_TIME, type=DURATION, err=True)
        )
    return asked


def _ask_type(calls: Calls) -> AvailabilityRow:
    rows = calls.availability().rows
    if not rows:
        raise NotFound("the server offers nothing yet", hint="Look again in a moment: gpudev avail.")
    width = max(len(row.gpu_type) for row in rows)
    for number, row in enumerate(rows, 1):
        pretended = " (pretended)" if row.pretended else ""
        words.note(f"  {number}  {row.gpu_type:<{width}}  {offer(row)}{pretended}")
    known = {row.gpu_type: row for row in reversed(rows)} | {str(number): row for number, row in enumerate(rows, 1)}
    while True:
        said = click.prompt("Which", default="1", err=True).strip().lower()
        if said in known:
            return known[said]
        words.note(f"There is no {said[:40]!r}; give a number or a name of these.")


def _ask_count(row: AvailabilityRow) -> int:
    most = max(1, row.per_node)
    count: int = click.prompt(f"How many (1-{most})", default=1, type=click.IntRange(1, most), err=True)
    return count


def _ask_disk(calls: Calls) -> str | None:
    """Ask for the disk; a new name makes a new disk, `none` is a throw-away home."""
    there = {disk.name: disk for disk in calls.disks.list()}
    for disk in there.values():
        words.note(f"  {disk.name}" + (f"  in use by {disk.in_use_by}" if _is_held(disk) else ""))
    default = HOME_DISK if HOME_DISK not in there or not _is_held(there[HOME_DISK]) else NONE
    while True:
        said = click.prompt("Which disk (a new name makes one, none is thrown away)", default=default, err=True).strip()
        if said == NONE:
            return None
        if said in there and _is_held(there[said]):
            words.note(f"{said} is in use by {there[said].in_use_by}.")
            continue
        try:
            return check_name(said, kind="disk")
        except InvalidRequest as error:
            words.note(f"{error.message}. {error.hint or ''}")


def _is_held(disk: Disk) -> bool:
    """Say whether a disk is held by a box that is not on its way out."""
    return disk.in_use_by is not None and disk.in_use_state != "stopping"


def settle_disk(calls: Calls, body: ReserveBody) -> ReserveBody:
    """Return the request with a disk that is free: on a terminal a choice; elsewhere the server refuses a busy one."""
    if body.disk is None or not words.on_terminal():
        return body
    held = next((disk for disk in calls.disks.list() if disk.name == body.disk and _is_held(disk)), None)
    if held is None:
        return body
    words.note(
        f"The disk {held.name} is in use by your reservation {held.in_use_by} (gpudev connect {held.in_use_by})."
    )
    return msgspec.structs.replace(body, disk=_ask_disk(calls))
