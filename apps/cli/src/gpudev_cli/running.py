"""Runs ssh and scp for a person: the terminal is theirs, the exit status is passed on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence

from gpudev_sdk.client.boxes import Box, find_way
from gpudev_sdk.client.places import find_places
from gpudev_sdk.client.shell import SSH_FAILED
from gpudev_sdk.client.targets import find_target
from gpudev_sdk.errors import ConfigError


def run_there(line: Sequence[str]) -> int:
    """Run a program with our stdin, stdout and stderr and return its status as a shell would; Ctrl-C is for it alone."""
    before = signal.getsignal(signal.SIGINT)
    try:
        child = subprocess.Popen(line)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = child.wait()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{line[0]} cannot be run: {error}", hint="See to the OpenSSH client.") from error
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - status if status < 0 else status


def way_to(server: str | None, name: str | None) -> Box:
    """Return the way into a box: as it is noted, or as the server says."""
    if name is not None:
        places = find_places()
        target = find_target(places, server)
        known = find_way(places, target.name, target.address, name)
        if known is not None:
            return known
    # Only now: what is noted needs no server, and not its client's 0.1 s.
    from gpudev_cli.reaching import reach

    return reach(server, name)


def run_in(server: str | None, box: Box, line: Callable[[Box], list[str]]) -> int:
    """Run ssh for a box and return its status; raise what says so where ssh failed because the box is not there.

    Once more where our files turn out to have been behind: ssh failed before anything was run.
    """
    status = run_there(line(box))
    if status != SSH_FAILED:
        return status
    from gpudev_cli.reaching import look_again

    other = look_again(server, box)
    return status if other is None else run_there(line(other))
