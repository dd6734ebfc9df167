"""Asks once whether `~/.ssh/config` may include our file, so that plain `ssh NAME.gpudev` and editors know the boxes."""

from __future__ import annotations

import click

from gpudev_cli import words
from gpudev_sdk.client.include import can_be_enabled, disable, enable, is_enabled
from gpudev_sdk.client.installs import read_config, write_config
from gpudev_sdk.client.places import Places
from gpudev_sdk.errors import ConfigError


def ask_once(places: Places) -> bool:
    """Say whether the line is there; on a terminal ask for it, the first time only."""
    if is_enabled(places):
        return True
    config = read_config(places)
    if config.ssh_include is not None or not words.on_terminal() or not can_be_enabled(places):
        return False
    words.note(
        "With one Include line in ~/.ssh/config, `ssh NAME.gpudev`, scp, VS Code and others find your boxes by name."
    )
    wanted = click.confirm(
        "Add the line? (gpudev config ssh-include disable takes it out again)", default=True, err=True
    )
    try:
        set_include(places, wanted=wanted)
    except ConfigError as error:
        words.note(f"It could not be added: {error.message}")
        return False
    return wanted


def set_include(places: Places, *, wanted: bool) -> bool:
    """Put the line in or take it out, and remember that it was decided; say whether anything changed."""
    changed = enable(places) if wanted else disable(places)
    write_config(places, read_config(places)._replace(ssh_include="yes" if wanted else "no"))
    return changed
