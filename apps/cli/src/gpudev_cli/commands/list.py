"""`gpudev list`: one's reservations."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_cli.watching import repeat
from gpudev_sdk.client.boxes import keep_in_step
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation, gpus
from gpudev_sdk.wire.views import ReservationPage

HEAD = ("STATE", "GPUS", "DISK", "UNTIL/ETA", "NAME")


@click.command("list")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@click.option("-w", "--watch", is_flag=True, help="Show it again whenever it may have changed, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, everything: bool, limit: int, watch: bool, as_json: bool) -> None:
    """Your reservations, newest first."""
    with opened(server) as calls:
        repeat(lambda: _show(calls, everything, limit, as_json), watch=watch)


def _show(calls: Calls, everything: bool, limit: int, as_json: bool) -> None:
    found = calls.list(state="all" if everything else "live", limit=limit)
    if not everything and len(found) < limit:
        keep_in_step(calls, found)
    if as_json:
        words.json(ReservationPage(items=list(found)))
    elif not found:
        words.note("You have no reservations. Ask for a box: gpudev reserve TYPE TIME (gpudev avail shows the types).")
    else:
        several = len({row.backend for row in found if row.backend}) > 1
        words.table(HEAD, [_row(row, several) for row in found])


def _row(row: Reservation, several: bool) -> tuple[object, ...]:
    where = f" @ {row.backend}" if several and row.backend else ""
    return (_state(row), gpus(row.gpu_type, row.gpus, row.nodes) + where, row.disk or "none", _until(row), row.name)


def _state(row: Reservation) -> str:
    if row.state == "ended":
        return f"ended ({row.end_reason})"
    return row.state + (" (needs attention)" if row.needs_attention else "")


def _until(row: Reservation) -> str | None:
    if row.state == "ended":
        return when.moment(row.ended_at)
    if row.state == "queued":
        place = f"place {row.position}, " if row.position else ""
        return place + (f"starts about {when.moment(row.starts_at)}" if row.starts_at else "no start in sight")
    return when.both(row.expires_at)
