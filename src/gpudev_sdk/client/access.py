"""Sees to everything that ssh needs to get into boxes: a key that the server knows, and our ssh files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from gpudev_sdk.client.boxes import Box, Noted, find_boxes, find_notes, notes_path, ssh_config, up_of
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.files import make_private_folder, saying, write_private
from gpudev_sdk.client.own_key import ensure_own_key, own_key_path
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.targets import LOCAL
from gpudev_sdk.client.values import Reservation
from gpudev_sdk.errors import Conflict, InvalidRequest
from gpudev_sdk.ssh import files
from gpudev_sdk.ssh.config import SshBox, SshInstall, box_alias, check_install, known_hosts, render_all
from gpudev_sdk.wire.views import GatewayView

LOOPBACK = "127.0.0.1"


def ensure_way(calls: Calls, row: Reservation, *, agent: bool = False) -> Box:
    """Enrol a key where that is ours to do, write our ssh files, and return the way into a box that is up."""
    if row.ssh_name is None:
        raise Conflict(f"{row.name} is {row.state}", hint=f"Look: gpudev show {row.name}")
    enrol(calls)
    up = up_of(calls.list()) | {row.ssh_name: str(row.id)}
    note(calls, up, agent_for=row.ssh_name if agent else None)
    noted = (find_boxes(calls.places, calls.install, calls.address) or {})[row.ssh_name]
    return Box(row.ssh_name, noted.alias, ssh_config(calls.places))


def enrol(calls: Calls) -> None:
    """Enrol a key of gpudev's own, where the server is this machine's; elsewhere the login's key is enrolled."""
    if calls.install == LOCAL:
        calls.keys.add(ensure_own_key(calls.places), name="gpudev")


def note(calls: Calls, up: Mapping[str, str], *, agent_for: str | None = None) -> None:
    """Note what a server has up now (reservation ids by name), and write our ssh files of all notes."""
    server = calls.server()
    if server.gateway is None:
        raise Conflict("the server's ssh gateway is not up", hint="Ask its operator; gpudev status says more.")
    with _locked(calls.places):
        before = find_boxes(calls.places, calls.install, calls.address) or {}
        kept = {name for name, box in before.items() if box.agent and up.get(name) == box.reservation}
        alias = _alias(calls.places, calls.install)
        notes = {
            "address": calls.address,
            "install_id": str(server.install_id),
            "alias": alias,
            "gateway": _gateway(calls, server.gateway),
            "key": str(own_key_path(calls.places)) if calls.install == LOCAL else calls.key,
        }
        install = check_install(_ssh_install(calls.places, calls.install, notes))
        boxes = {
            name: Noted(reservation, box_alias(install, name), name == agent_for or name in kept)
            for name, reservation in sorted(up.items())
        }
        write_private(notes_path(calls.places, calls.install), json.dumps({**notes, "boxes": boxes}, indent=1))
        _write_all(calls.places)


def take_out(places: Places, install: str) -> None:
    """Take an install out of our ssh files."""
    with _locked(places):
        with saying(places.ssh):
            notes_path(places, install).unlink(missing_ok=True)
            _known_hosts_path(places, install).unlink(missing_ok=True)
        _write_all(places)


@contextlib.contextmanager
def _locked(places: Places) -> Iterator[None]:
    """Keep other commands from writing at the same time."""
    with saying(places.ssh):
        make_private_folder(places.config)
        make_private_folder(places.ssh)
        lock = (places.ssh / ".lock").open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _gateway(calls: Calls, gateway: GatewayView) -> dict[str, Any]:
    host = gateway.host or calls.host or LOOPBACK
    return {"host": host, "port": gateway.port, "key": gateway.host_key, "ca": gateway.host_ca}


def _alias(places: Places, install: str) -> str | None:
    """Return what an install's names end in: the first has the plain `NAME.gpudev`, and keeps it."""
    others = [(path.stem, find_notes(path)) for path in _noted(places)]
    own = dict(others).get(install)
    if own is not None and "alias" in own:
        kept: str | None = own["alias"]
        return kept
    plain_is_taken = any(notes is not None and notes.get("alias") is None for name, notes in others if name != install)
    return install.replace(".", "-").replace("_", "-")[:40].strip("-") if plain_is_taken else None


def _noted(places: Places) -> list[pathlib.Path]:
    with saying(places.ssh):
        return sorted((places.ssh / "installs").glob("*.json"))


def _known_hosts_path(places: Places, install: str) -> pathlib.Path:
    return places.ssh / f"known_hosts.{install}"


def _ssh_install(places: Places, install: str, notes: Mapping[str, Any]) -> SshInstall:
    gateway = notes["gateway"]
    return SshInstall(
        gateway_host=gateway["host"],
        gateway_port=gateway["port"],
        gateway_key=gateway["key"],
        host_ca=gateway["ca"],
        known_hosts=_known_hosts_path(places, install),
        alias=notes["alias"],
        identity_file=pathlib.Path(notes["key"]) if notes["key"] else None,
        control_folder=files.control_folder(places.ssh),
    )


def _write_all(places: Places) -> None:
    entries = []
    for path in _noted(places):
        notes = find_notes(path)
        try:
            entry = _entry(places, path.stem, notes or {})
            files.write(_known_hosts_path(places, path.stem), known_hosts(entry[0]))
        except (KeyError, TypeError, AttributeError, InvalidRequest):
            # Somebody's edit, or an older version's: its server's next answer writes it anew.
            continue
        entries.append(entry)
    files.write(ssh_config(places), render_all(entries))


def _entry(places: Places, install: str, notes: Mapping[str, Any]) -> tuple[SshInstall, list[SshBox]]:
    boxes = [SshBox(name=name, forward_agent=bool(Noted(*noted).agent)) for name, noted in notes["boxes"].items()]
    return _ssh_install(places, install, notes), boxes
