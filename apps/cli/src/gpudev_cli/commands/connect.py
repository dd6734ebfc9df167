"""`gpudev connect`: a terminal in a box."""

from __future__ import annotations

import click

from gpudev_cli.lazy import Passing
from gpudev_cli.running import run_in, way_to
from gpudev_sdk.client.shell import ssh


@click.command("connect", cls=Passing)
@click.argument("name", required=False)
@click.option(
    "-A", "--agent", is_flag=True, help="Let your ssh agent through, where the box was reserved with --agent."
)
@click.option("-L", "forwards", multiple=True, metavar="PORT:HOST:PORT", help="Forward a port, as ssh does.")
@click.pass_obj
def command(server: str | None, name: str | None, agent: bool, forwards: tuple[str, ...]) -> int:
    """Open a terminal in a box. Without NAME it is your only one, or you are asked which.

    The exit status is that of the shell in the box; failures of gpudev itself exit 125.
    """
    box = way_to(server, name)
    options = ["-A"] if agent else []
    for forward in forwards:
        options += ["-L", forward]
    return run_in(server, box, lambda way: ssh(way, *options))
