"""`gpudev key`: one's public keys."""

from __future__ import annotations

import pathlib
import sys

import click

from gpudev_cli import when, words
from gpudev_cli.session import opened
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.errors import Conflict, InvalidRequest, NotFound
from gpudev_sdk.wire.account_views import KeysView

LARGEST = 16 * 1024


@click.group("key")
def command() -> None:
    """Your public keys: whoever holds the private half gets into your boxes."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_keys(server: str | None, as_json: bool) -> None:
    """Your keys."""
    with opened(server) as calls:
        found = calls.keys.list()
    if as_json:
        words.json(KeysView(items=list(found)))
    else:
        rows = [(str(key.id)[:13], key.fingerprint, when.moment(key.created_at), key.name) for key in found]
        words.table(("ID", "FINGERPRINT", "SINCE", "NAME"), rows)


@command.command("add")
@click.argument("file", metavar="FILE.pub")
@click.option("--name", help="What to call it.")
@click.pass_obj
def add_key(server: str | None, file: str, name: str | None) -> None:
    """Enrol a public key; it opens your boxes within a second. FILE.pub may be - for stdin."""
    text = read_public_key(file)
    with opened(server) as calls:
        made = calls.keys.add(text, name=name)
    words.say(f"Enrolled {made.fingerprint} as {made.name}.")


@command.command("remove")
@click.argument("key", metavar="ID")
@click.pass_obj
def remove_key(server: str | None, key: str) -> None:
    """Take a key away, by the beginning of its id or by its fingerprint; what it opened is closed within 5 seconds."""
    with opened(server) as calls:
        calls.keys.remove(_find(calls, key))
    words.say("Removed.")


def _find(calls: Calls, wanted: str) -> str:
    fitting = [key for key in calls.keys.list() if str(key.id).startswith(wanted) or key.fingerprint == wanted]
    if not fitting or not wanted:
        raise NotFound(f"you have no key {wanted[:40]!r}", hint="`gpudev key list` shows yours.")
    if len(fitting) > 1:
        raise Conflict(f"{wanted[:40]!r} begins the ids of several keys", hint="Give more of the id.")
    return str(fitting[0].id)


def read_public_key(file: str) -> str:
    """Read the text of a public key file; raise InvalidRequest for what cannot be one, before anything is sent."""
    if file == "-":
        text = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with pathlib.Path(file).open("rb") as source:
            text = source.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise InvalidRequest(f"{file} is too long for a public key", hint="Give the file that ends in .pub.")
    if b"PRIVATE KEY" in text:
        raise InvalidRequest(
            f"{file} is a private key; never give that away", hint="Give the file beside it that ends in .pub."
        )
    return text.decode("utf-8", errors="replace").strip()
