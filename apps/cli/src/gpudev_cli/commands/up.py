"""`gpudev up`: a server on this machine."""

from __future__ import annotations

import click

from gpudev_cli.services import become_service


@click.command("up")
@click.option("--detach", is_flag=True, help="Return once it is up, and leave it running.")
@click.option("--data", metavar="FOLDER", help="Its data folder [default: $GPUDEV_DATA, or ~/.local/share/gpudev].")
@click.option("--config", metavar="FILE", help="Its configuration (TOML).")
@click.option("--listen", metavar="HOST:PORT", help="Let people on other machines in, over TLS.")
def command(detach: bool, data: str | None, config: str | None, listen: str | None) -> None:
    """Start a server on this machine: database, scheduler, boxes and their ssh door, in one process."""
    given = ["--detach"] if detach else []
    given += ["--data", data] if data else []
    given += ["--config", config] if config else []
    given += ["--listen", listen] if listen else []
    become_service(["up", *given])
