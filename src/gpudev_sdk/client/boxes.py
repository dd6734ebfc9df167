"""The ways into boxes: which are noted in our ssh files, and when these have to be written anew.

What an install has is noted in a small JSON file in `CONFIG/ssh/installs`; the ssh files are made of all these notes.
Only what is on the path of every command is here; `access` does the writing.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from gpudev_sdk.client.files import find_text
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.targets import LOCAL

if TYPE_CHECKING:
    from gpudev_sdk.client.calls import Calls
    from gpudev_sdk.client.values import Reservation


class Box(NamedTuple):
    """A way into a box: `ssh -F CONFIG ALIAS`. `name` is what the server calls it."""

    name: str
    alias: str
    config: pathlib.Path


class Noted(NamedTuple):
    """What is noted of a box that is up."""

    reservation: str
    alias: str
    agent: bool = False


def ssh_config(places: Places) -> pathlib.Path:
    """Return where our ssh configuration lies."""
    return places.ssh / "config"


def notes_path(places: Places, install: str) -> pathlib.Path:
    """Return where it is noted what an install has."""
    return places.ssh / "installs" / f"{install}.json"


def find_notes(path: pathlib.Path) -> dict[str, Any] | None:
    """Return the notes of an install; None where there are none that can be read."""
    text = find_text(path)
    try:
        found = json.loads(text) if text is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def find_boxes(places: Places, install: str, address: str) -> dict[str, Noted] | None:
    """Return the noted boxes of the server at an address; None where nothing of it is noted."""
    notes = find_notes(notes_path(places, install))
    if notes is None or notes.get("address") != address:
        return None
    try:
        return {str(name): Noted(*noted) for name, noted in notes["boxes"].items()}
    except (KeyError, TypeError, AttributeError):
        return None


def find_way(places: Places, install: str, address: str, name: str) -> Box | None:
    """Return the way into a box of this name, if it is noted; that needs no server."""
    noted = (find_boxes(places, install, address) or {}).get(name)
    return None if noted is None else Box(name, noted.alias, ssh_config(places))


def up_of(rows: Iterable[Reservation]) -> dict[str, str]:
    """Return the boxes that are up among reservations: their ids by name."""
    return {row.ssh_name: str(row.id) for row in rows if row.ssh_name is not None}


def keep_in_step(calls: Calls, rows: Iterable[Reservation]) -> None:
    """Write our ssh files anew if the boxes that are up, of all live reservations, are others than those noted."""
    noted, up = find_boxes(calls.places, calls.install, calls.address), up_of(rows)
    if {name: box.reservation for name, box in (noted or {}).items()} == up:
        return
    # Rarely needed, and what it loads takes 0.05 s.
    from gpudev_sdk.client.access import note

    note(calls, up)


def refresh(calls: Calls) -> None:
    """Have our ssh files agree with what is up now."""
    keep_in_step(calls, calls.list())


def introduce(calls: Calls) -> None:
    """Have the server know a key of ours before the first box comes up, so that nobody waits for it then."""
    if calls.install != LOCAL or find_boxes(calls.places, calls.install, calls.address) is not None:
        return
    from gpudev_sdk.client.access import enrol

    enrol(calls)


def open_box(calls: Calls, row: Reservation, *, agent: bool = False) -> Box:
    """Return the way into a box that is up, with everything in place that ssh needs: a key, and our files."""
    from gpudev_sdk.client.access import ensure_way

    return ensure_way(calls, row, agent=agent)


def forget(places: Places, install: str) -> None:
    """Take an install out of our ssh files."""
    from gpudev_sdk.client.access import take_out

    take_out(places, install)
