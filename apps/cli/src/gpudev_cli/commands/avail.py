"""`gpudev avail`: what is free, what will be when, and who holds what."""

from __future__ import annotations

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_cli.watching import repeat
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import gpus
from gpudev_sdk.wire.views import AvailabilityRow, AvailabilityView, UseView

HEAD = ("GPUS", "FREE", "QUEUE", "LONGEST", "OFFER")


@click.command("avail")
@click.option("-w", "--watch", is_flag=True, help="Show it again whenever it may have changed, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, watch: bool, as_json: bool) -> None:
    """What could start now and what when, and who holds what until when."""
    with opened(server) as calls:
        repeat(lambda: _show(calls, as_json), watch=watch)


def _show(calls: Calls, as_json: bool) -> None:
    found = calls.availability()
    if as_json:
        words.json(found)
        return
    several = len({row.backend for row in found.rows}) > 1
    words.table(HEAD, [_row(row, several) for row in found.rows])
    for row in found.rows:
        for trouble in row.trouble:
            words.say(f"{row.gpu_type}: {trouble}")
    _uses(found)


def _row(row: AvailabilityRow, several: bool) -> tuple[object, ...]:
    name = row.gpu_type + (f" @ {row.backend}" if several else "") + (" (pretended)" if row.pretended else "")
    longest = None if row.max_duration_seconds is None else f"{row.max_duration_seconds // 3600} h"
    return (name, f"{row.free} of {row.total}", row.queued, longest, offer(row))


def offer(row: AvailabilityRow) -> str:
    """Say in a line what one could have: `4 × h100 now, 8 in 35 min`."""
    if row.gpu_type == "cpu" or row.per_node == 0:
        one = "now" if row.largest_now else _later(row, 0) or "none in sight"
        return ", ".join([one, *_together(row)])
    parts = [f"{gpus(row.gpu_type, row.largest_now)} now"] if row.largest_now else []
    later = _later(row, row.largest_now)
    if later:
        parts.append(later)
    return ", ".join([*parts, *_together(row)]) or "none in sight"


def _together(row: AvailabilityRow) -> list[str]:
    """Say how many whole nodes could be had together now, and when the most of all could."""
    said = [f"{row.nodes_now} whole nodes now"] if row.nodes_now else []
    most = next((found for found in row.offers if found.nodes == row.most_nodes > max(1, row.nodes_now)), None)
    if most is not None and most.starts_at is not None:
        said.append(f"{most.nodes} {'' if said else 'whole nodes '}{when.distance(most.starts_at)}")
    return said


def _later(row: AvailabilityRow, now: int) -> str | None:
    """Say when more could be had than now: the first moment for more, and the most of all."""
    said: list[str] = []
    best = now
    single = [found for found in row.offers if found.nodes == 1]
    for found in sorted(single, key=lambda found: (found.starts_at is None, found.starts_at, -found.gpus)):
        if found.starts_at is not None and found.gpus > best:
            best = found.gpus
            said.append(f"{found.gpus} {when.distance(found.starts_at)}")
    return ", ".join(said) or None


def _uses(found: AvailabilityView) -> None:
    if not found.uses:
        return
    words.say()
    words.table(("WHO", "HOLDS", "STATE", "UNTIL"), [_use(use) for use in found.uses])


def _use(use: UseView) -> tuple[object, ...]:
    return ("you" if use.mine else use.owner, gpus(use.gpu_type, use.gpus, use.nodes), use.state, when.both(use.until))
