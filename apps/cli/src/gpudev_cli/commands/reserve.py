"""`gpudev reserve`: ask for a dev server."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import click

from gpudev_cli import consent, ending, picks, when, words
from gpudev_cli.asked import Asked
from gpudev_cli.durations import DURATION, GPU_COUNT, GPU_SHAPE
from gpudev_cli.sending import send
from gpudev_cli.session import opened
from gpudev_cli.waiting import phase, wait_for_box
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.values import Reservation, gpus
from gpudev_sdk.wire.bodies import ReserveBody
from gpudev_sdk.wire.views import DryRunView

#: How often, and after how many seconds each, the planner's answer is asked for.
PLAN_LOOKS, PLAN_LOOK = 20, 0.05


@click.command("reserve")
@click.argument("shape", required=False, metavar="TYPE[:N]", type=GPU_SHAPE)
@click.argument("time", required=False, metavar="TIME", type=DURATION)
@click.option("-t", "--gpu-type", "kind", metavar="TYPE", type=GPU_SHAPE, help="The GPU type, by name.")
@click.option(
    "-g",
    "--gpus",
    "count",
    metavar="N",
    type=GPU_COUNT,
    help="How many, by name [default: 1; none for cpu].",
)
@click.option(
    "--nodes",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="So many whole nodes of one zone, all at once; N GPUs are those of each [default: 1].",
)
@click.option("--hours", metavar="TIME", type=DURATION, help="How long, by name.")
@click.option("--disk", metavar="NAME", help="The disk for /home/dev [default: home], made on first use.")
@click.option("--no-disk", is_flag=True, help="A home that is thrown away at the end.")
@click.option("--image", metavar="REF", help="The image of the box.")
@click.option(
    "--profile",
    metavar="NAME",
    help="What the box may do beside: `root` to install packages, `profiling` for profilers.",
)
@click.option("--backend", metavar="NAME", help="Where, if there are several places.")
@click.option("-n", "--name", metavar="NAME", help="What to call the box [default: as its disk].")
@click.option("--no-wait", is_flag=True, help="Return once it is in line.")
@click.option("--max-wait", metavar="TIME", type=DURATION, help="Leave the line after so long.")
@click.option("--dry-run", is_flag=True, help="Say where and when it would start, and do nothing.")
@click.option(
    "-e",
    "--env",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="A secret for the box's environment; NAME alone takes it from yours.",
)
@click.option("--agent", is_flag=True, help="Let your ssh agent through to the box.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, /, as_json: bool, dry_run: bool, no_wait: bool, **given: Any) -> int:
    """Ask for a dev server: N GPUs of a type for some time, such as `gpudev reserve h100:2 4h`.

    Several whole nodes that reach each other: `gpudev reserve h100:8 4h --nodes 2`.

    It waits in line until the box is up, says how to get in, and returns. TIME reads 90m, 4h, 2d or 'until 18:00'.
    """
    asked = Asked.of(context, given)
    with opened(context.obj) as calls:
        body = picks.complete(calls, asked, dry_run=dry_run).body()
        if dry_run:
            return _say_plan(calls.dry_run_body(body), body, as_json)
        body = picks.settle_disk(calls, body)
        row, interrupted = send(calls, body)
        if no_wait:
            _say_queued(_planned(calls, row), as_json)
            return 130 if interrupted else 0
        done = _wait(calls, row, interrupted)
        if done is None:
            return 130
        consented = as_json or consent.ask_once(calls.places)
        ending.say_ready(calls, done, agent=body.agent_forwarding, as_json=as_json, included=consented)
        return 0


def _wait(calls: Calls, row: Reservation, interrupted: bool) -> Reservation | None:
    words.note(f"Asked for {gpus(row.gpu_type, row.gpus, row.nodes)}{_home(row)} as {row.name}.")
    done = wait_for_box(calls, row, interrupted=interrupted)
    if done is not None and done.state != "active":
        raise ending.error_of(done)
    return done


def _home(row: Reservation) -> str:
    return f" with the disk {row.disk}" if row.disk else " with a home that is thrown away at the end"


def _planned(calls: Calls, row: Reservation) -> Reservation:
    """Return the reservation with its place in line, which the planner gives in a moment."""
    for _ in range(PLAN_LOOKS):
        if row.state != "queued" or row.position is not None:
            break
        time.sleep(PLAN_LOOK)
        row = calls.show(str(row.id))
    return row


def _say_queued(row: Reservation, as_json: bool) -> None:
    if as_json:
        words.json(row)
        return
    words.say(f"{row.name}: {gpus(row.gpu_type, row.gpus, row.nodes)}{_home(row)}; {phase(row)}.")
    words.say(f"Look: gpudev show {row.name}   Get in when it is up: gpudev connect {row.name}")


def _say_plan(plan: DryRunView, body: ReserveBody, as_json: bool) -> int:
    if as_json:
        words.json(plan)
        return 0
    lasts = dt.timedelta(seconds=body.duration_seconds)
    what = gpus(body.gpu_type, body.gpus, body.nodes)
    place = " / ".join(part for part in (plan.backend, ", ".join(plan.node_names) or plan.node) if part)
    where = f" on {place}" if place else ""
    if plan.starts_at is None:
        waits = f": {plan.waiting_for}" if plan.waiting_for else ""
        words.say(f"{what} {'have' if body.nodes > 1 else 'has'} no start in sight{waits}.")
    else:
        until = when.moment(plan.starts_at + lasts)
        words.say(
            f"{what} would start {when.both(plan.starts_at)}{where}, until {until}; place {plan.position} in line."
        )
    for other in plan.instead:
        if other.starts_at is not None:
            words.say(f"Sooner: {gpus(body.gpu_type, other.gpus, other.nodes)}, {when.both(other.starts_at)}.")
    return 0
