"""`gpudev show`: one reservation in full."""

from __future__ import annotations

import datetime as dt

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation, gpus
from gpudev_sdk.domain.times import format_duration
from gpudev_sdk.errors import NotFound
from gpudev_sdk.wire.views import EventView


@click.command("show")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, name: str | None, as_json: bool) -> None:
    """One reservation in full, with its history. NAME is its name, its id, or the beginning of one."""
    with opened(server) as calls:
        found = calls.show(name) if name is not None else only_one(calls)
        if as_json:
            words.json(found)
            return
        words.pairs(_facts(found))
        words.say()
        words.table(("AT", "WHAT", "STATE", "BY", "DETAIL"), [_event(event) for event in calls.history(str(found.id))])


def only_one(calls: Calls) -> Reservation:
    """Return one's only live reservation; raise NotFound or a usage error when it is not clear which is meant."""
    live = calls.list()
    if not live:
        raise NotFound("you have no reservation", hint="Ask for a box: gpudev reserve TYPE TIME.")
    if len(live) > 1:
        names = ", ".join(words.clean(row.name, 40) for row in live[:5])
        raise click.UsageError(f"say which: {names}{', …' if len(live) > 5 else ''}", click.get_current_context())
    return live[0]


def _facts(row: Reservation) -> list[tuple[str, object]]:
    queued = row.state == "queued"
    return [
        ("name", row.name),
        ("id", row.id),
        ("state", row.state + (f" ({row.end_reason})" if row.end_reason else "")),
        ("detail", row.detail),
        ("attention", row.needs_attention),
        ("GPUs", gpus(row.gpu_type, row.gpus, row.nodes)),
        ("disk", _disk(row)),
        ("image", row.image),
        ("place in line", row.position),
        ("starts about", when.both(row.starts_at) if queued else None),
        ("waits for", row.waiting_for),
        ("runs on", " / ".join(part for part in (row.backend, ", ".join(row.node_names) or row.node) if part)),
        ("asked for", when.both(row.created_at)),
        ("started", when.both(row.started_at)),
        ("until", when.both(row.expires_at) if row.state != "ended" else None),
        ("ended", when.both(row.ended_at)),
        ("granted", format_duration(dt.timedelta(seconds=row.granted_seconds))),
        ("attempt", row.attempt if row.attempt > 1 else None),
        *((name, value) for name, value in sorted(row.notes.items())),
        ("get in", f"gpudev connect {row.name}" if row.state == "active" else None),
        ("other nodes", _others(row)),
    ]


def _disk(row: Reservation) -> str:
    if row.disk is None:
        return "none: the home is thrown away at the end"
    return row.disk + (" on the first node; the other homes are thrown away" if row.nodes > 1 else "")


def _others(row: Reservation) -> str | None:
    """Say how the other nodes are reached: from inside, by rank."""
    if row.nodes == 1 or row.state != "active":
        return None
    last = f" to ssh {row.name}-{row.nodes - 1}" if row.nodes > 2 else ""
    return f"from inside: ssh {row.name}-1{last}"


def _event(event: EventView) -> tuple[object, ...]:
    return (when.moment(event.at), event.what, event.to_state, event.actor, event.detail)
