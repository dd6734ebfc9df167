"""`gpudev down`: stop the server on this machine."""

from __future__ import annotations

import click

from gpudev_cli.services import become_service


@click.command("down")
@click.option("--data", metavar="FOLDER", help="Its data folder [default: $GPUDEV_DATA, or ~/.local/share/gpudev].")
@click.option(
    "--force", is_flag=True, help="Even while boxes of others live; they live on, but nobody gets in or is warned."
)
def command(data: str | None, force: bool) -> None:
    """Stop the server on this machine. Boxes live on and are found again by the next `gpudev up`."""
    given = ["--data", data] if data else []
    given += ["--force"] if force else []
    become_service(["down", *given])
