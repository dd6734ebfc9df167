"""`gpudev cp`: copy files to or from a box."""

from __future__ import annotations

import re

import click

from gpudev_cli.running import run_there, way_to
from gpudev_sdk.client.shell import box_path, local_path, scp
from gpudev_sdk.errors import GpudevError

_THERE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):(.*)\Z", re.DOTALL)


@click.command("cp")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.pass_context
def command(context: click.Context, source: str, target: str) -> None:
    """Copy a file or a folder. One side is NAME:PATH in a box: `gpudev cp results.csv work:out/`, `gpudev cp work:log .`"""
    there, back = _THERE.match(target), _THERE.match(source)
    if bool(there) == bool(back):
        raise click.UsageError("one side is to be NAME:PATH in a box, the other a path here", context)
    name = (there or back)[1]  # type: ignore[index]
    box = way_to(context.obj, name)
    if there:
        line = scp(box, local_path(source), box_path(box, there[2]))
    else:
        line = scp(box, box_path(box, back[2]), local_path(target))  # type: ignore[index]
    status = run_there(line)
    if status:
        raise GpudevError(f"scp did not copy everything (status {status})", hint="It said above what it could not.")
