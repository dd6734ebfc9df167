"""`gpudev wait`: until a box is up, or gone."""

from __future__ import annotations

import click

from gpudev_cli import ending, words
from gpudev_cli.commands.show import only_one
from gpudev_cli.session import opened
from gpudev_cli.waiting import wait_for_box
from gpudev_sdk.client.include import is_enabled


@click.command("wait")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(server: str | None, name: str | None, as_json: bool) -> int:
    """Wait until a box is up, and say how to get in. Without NAME it is your only one."""
    with opened(server) as calls:
        row = calls.show(name) if name is not None else only_one(calls)
        done = wait_for_box(calls, row)
        if done is None:
            return 130
        if done.state != "active":
            raise ending.error_of(done)
        if as_json:
            words.json(done)
        else:
            ending.say_ready(calls, done, agent=False, as_json=False, included=is_enabled(calls.places))
        return 0
