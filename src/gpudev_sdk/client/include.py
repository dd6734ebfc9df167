"""The one line in `~/.ssh/config`, which people are asked about."""

from __future__ import annotations

import os
import pathlib
import pwd

from gpudev_sdk.client.boxes import ssh_config
from gpudev_sdk.client.places import Places
from gpudev_sdk.errors import ConfigError
from gpudev_sdk.ssh import files


def user_config(places: Places) -> pathlib.Path | None:
    """Return the configuration that ssh reads by itself; None where that is not the one of this HOME.

    OpenSSH takes the home from the password database, whatever HOME says: a line elsewhere would do nothing.
    """
    try:
        home = pathlib.Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return None
    same = os.path.realpath(home) == os.path.realpath(places.home)
    return home / ".ssh" / "config" if same else None


def is_enabled(places: Places) -> bool:
    """Say whether the line is there."""
    config = user_config(places)
    return config is not None and files.has_include(config, ssh_config(places))


def can_be_enabled(places: Places) -> bool:
    """Say whether there is a configuration in which the line would do something."""
    return user_config(places) is not None


def enable(places: Places) -> bool:
    """Put the line first; say whether that changed anything."""
    config = _get(places)
    if files.has_include(config, ssh_config(places)):
        return False
    files.add_include(config, ssh_config(places))
    return True


def disable(places: Places) -> bool:
    """Take the line out; say whether that changed anything."""
    config = _get(places)
    there = files.has_include(config, ssh_config(places))
    files.remove_include(config, ssh_config(places))
    return there


def _get(places: Places) -> pathlib.Path:
    found = user_config(places)
    if found is None:
        raise ConfigError(
            f"ssh does not read {places.home}/.ssh/config: this account's home is another",
            hint=f"Name the file instead: ssh -F {ssh_config(places)} NAME.gpudev",
        )
    return found
