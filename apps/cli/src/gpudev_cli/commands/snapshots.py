"""The part of `gpudev disk` that is about snapshots."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.values import size
from gpudev_sdk.wire.views import SnapshotsView, SnapshotView

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("snapshot")
@click.argument("name")
@AS_JSON
@click.pass_obj
def take_snapshot(server: str | None, name: str, as_json: bool) -> None:
    """Take a snapshot of an idle disk."""
    with opened(server) as calls:
        made = calls.disks.snapshot(name)
    if as_json:
        words.json(made)
    else:
        words.say(f"The snapshot {str(made.id)[:13]} of {name} is on its way: gpudev disk snapshots {name}")


@click.command("snapshots")
@click.argument("name")
@AS_JSON
@click.pass_obj
def list_snapshots(server: str | None, name: str, as_json: bool) -> None:
    """A disk's snapshots, newest first."""
    with opened(server) as calls:
        found = calls.disks.snapshots(name)
    if as_json:
        words.json(SnapshotsView(items=list(found)))
    elif not found:
        words.note(f"{name} has no snapshots yet; one is taken at the end of each reservation where they are on.")
    else:
        words.table(("ID", "STATE", "TAKEN", "SIZE", "WHY"), [_snapshot(row) for row in found])


def _snapshot(row: SnapshotView) -> tuple[object, ...]:
    why = row.reason + (f": {row.trouble}" if row.trouble else "")
    return (str(row.id)[:13], row.state, when.both(row.completed_at or row.requested_at), size(row.size_bytes), why)


@click.command("restore")
@click.argument("name")
@click.argument("snapshot")
@AS_JSON
@click.pass_obj
def restore_disk(server: str | None, name: str, snapshot: str, as_json: bool) -> None:
    """Have a disk's content be that of one of its snapshots (the beginning of its id) from its next use on."""
    with opened(server) as calls:
        disk = calls.disks.restore(name, snapshot)
    if as_json:
        words.json(disk)
    else:
        words.say(f"The next box with {disk.name} starts from that snapshot.")


COMMANDS = (take_snapshot, list_snapshots, restore_disk)
