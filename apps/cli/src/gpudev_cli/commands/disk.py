"""`gpudev disk`: one's disks and their snapshots."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.commands import snapshots
from gpudev_cli.session import opened
from gpudev_sdk.client.values import Disk, size
from gpudev_sdk.domain.names import check_name
from gpudev_sdk.wire.views import DisksView

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("disk")
def command() -> None:
    """Your disks: named homes that outlive the boxes."""


@command.command("list")
@click.option("--deleted", is_flag=True, help="Also those that can be had back.")
@AS_JSON
@click.pass_obj
def list_disks(server: str | None, deleted: bool, as_json: bool) -> None:
    """Your disks."""
    with opened(server) as calls:
        found = calls.disks.list(deleted=deleted)
    if as_json:
        words.json(DisksView(items=list(found)))
    elif not found:
        words.note("You have no disks; `home` is made with your first reservation.")
    else:
        words.table(("NAME", "SIZE", "USED", "SNAPSHOTS", "LAST USED", "STATE"), [_row(disk) for disk in found])


def _row(disk: Disk) -> tuple[object, ...]:
    used = size(disk.used_bytes)
    return (disk.name, size(disk.size_bytes), used, disk.snapshots, when.moment(disk.last_used_at), _state(disk))


def _state(disk: Disk) -> str:
    if disk.deleted_at is not None:
        return f"deleted, to be had back until {when.moment(disk.purge_at) or '?'}"
    if disk.needs_attention:
        return f"needs attention: {disk.needs_attention}"
    if disk.in_use_by:
        return f"in use by {disk.in_use_by}"
    return "leaving its zone" if disk.leaving else "idle"


@command.command("create")
@click.argument("name")
@click.option("--size-gb", type=click.IntRange(1, 1_000_000), help="How large it may become.")
@AS_JSON
@click.pass_obj
def create_disk(server: str | None, name: str, size_gb: int | None, as_json: bool) -> None:
    """Make a disk."""
    check_name(name, kind="disk")
    with opened(server) as calls:
        made = calls.disks.create(name, size_bytes=None if size_gb is None else size_gb * 1024**3)
    _say(made, as_json, f"Made the disk {made.name}; use it with: gpudev reserve TYPE TIME --disk {made.name}")


@command.command("show")
@click.argument("name")
@AS_JSON
@click.pass_obj
def show_disk(server: str | None, name: str, as_json: bool) -> None:
    """One disk in full."""
    with opened(server) as calls:
        disk = calls.disks.show(name)
    if as_json:
        words.json(disk)
        return
    facts = [("name", disk.name), ("id", disk.id), ("state", _state(disk)), ("lies", _place(disk))]
    facts += [("size", size(disk.size_bytes)), ("used", size(disk.used_bytes)), ("snapshots", disk.snapshots)]
    words.pairs([*facts, ("made", when.both(disk.created_at)), ("last used", when.both(disk.last_used_at))])
    for move in disk.moves:
        words.note(f"To use it in {move.to}: {move.how}.")


def _place(disk: Disk) -> str:
    if disk.backend is None:
        return "nowhere yet: its first box decides"
    tie = f"on {disk.node}" if disk.node else f"in {disk.zone}" if disk.zone else "in no zone"
    return f"{disk.backend}, {tie}"


@command.command("move")
@click.argument("name")
@AS_JSON
@click.pass_obj
def move_disk(server: str | None, name: str, as_json: bool) -> None:
    """Free a disk from its zone: its next box may be in any zone of its backend, and starts from its newest snapshot.

    \b
    gpudev disk show work      says where it lies, and what else moving takes
    """
    with opened(server) as calls:
        disk = calls.disks.move(name)
    line = f"{disk.name} leaves its zone: its next box, anywhere in {disk.backend}, starts from its newest snapshot."
    _say(disk, as_json, line)


@command.command("delete")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete_disk(context: click.Context, name: str, yes: bool) -> None:
    """Put a disk away; it can be had back for 30 days."""
    if not yes:
        if not words.on_terminal():
            raise click.UsageError("deleting needs --yes where nobody can be asked", context)
        click.confirm(f"Delete the disk {words.clean(name, 60)}?", abort=True, err=True)
    with opened(context.obj) as calls:
        gone = calls.disks.delete(name)
    until = when.moment(gone.purge_at) if gone is not None else None
    words.say(f"Deleted {name}; until {until or 'it is purged'} it can be had back: gpudev disk undelete {name}")


@command.command("undelete")
@click.argument("name")
@AS_JSON
@click.pass_obj
def undelete_disk(server: str | None, name: str, as_json: bool) -> None:
    """Have a deleted disk back."""
    with opened(server) as calls:
        disk = calls.disks.undelete(name)
    _say(disk, as_json, f"{disk.name} is back.")


def _say(disk: Disk, as_json: bool, line: str) -> None:
    if as_json:
        words.json(disk)
    else:
        words.say(line)


for _made in snapshots.COMMANDS:
    command.add_command(_made)
