"""`gpudev admin`: for who runs the server. All but `restore` go by its local socket."""

from __future__ import annotations

import pathlib

import click

from gpudev_cli import when, words
from gpudev_cli.commands.key import read_public_key
from gpudev_cli.services import become_service
from gpudev_cli.session import opened
from gpudev_sdk.client.values import size
from gpudev_sdk.domain.names import check_name
from gpudev_sdk.errors import Conflict
from gpudev_sdk.wire.admin_views import UsersView

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("admin")
def command() -> None:
    """People, health and backup of the server on this machine."""


@command.group("users")
def users() -> None:
    """People who may use this server."""


@users.command("list")
@AS_JSON
@click.pass_obj
def list_users(server: str | None, as_json: bool) -> None:
    """Everybody."""
    with opened(server) as calls:
        found = calls.admin.users()
    if as_json:
        words.json(UsersView(items=found))
        return
    rows = [
        (user.name, "disabled" if user.disabled else "admin" if user.is_admin else "user", user.keys,
         when.moment(user.created_at))
        for user in found
    ]  # fmt: skip
    words.table(("NAME", "IS", "KEYS", "SINCE"), rows)


@users.command("add")
@click.argument("name")
@click.option("--key", "file", metavar="FILE.pub", help="The person's public key; - is stdin.")
@click.pass_obj
def add_user(server: str | None, name: str, file: str | None) -> None:
    """Add a person. With their public key they can log in from their machine and reach their boxes."""
    check_name(name, kind="user")
    text = None if file is None else read_public_key(file)
    with opened(server) as calls:
        calls.admin.add_user(name, public_key=text)
    words.say(f"Added {name}." if text else f"Added {name}, without a key yet.")


@users.command("disable")
@click.argument("name")
@click.pass_obj
def disable_user(server: str | None, name: str) -> None:
    """Shut a person out; what they have open is closed within 5 seconds."""
    with opened(server) as calls:
        calls.admin.set_disabled(name, disabled=True)
    words.say(f"{name} is shut out.")


@users.command("enable")
@click.argument("name")
@click.pass_obj
def enable_user(server: str | None, name: str) -> None:
    """Let a person in again."""
    with opened(server) as calls:
        calls.admin.set_disabled(name, disabled=False)
    words.say(f"{name} may come in again.")


@command.command("doctor")
@AS_JSON
@click.pass_obj
def doctor(server: str | None, as_json: bool) -> int:
    """Look for what is not as it should be; exits 1 if there is anything."""
    with opened(server) as calls:
        found = calls.admin.doctor()
    if as_json:
        words.json(found)
    elif not found.findings:
        words.say("All is as it should be.")
    else:
        rows = [(finding.law, finding.what, finding.next_step) for finding in found.findings]
        words.table(("LAW", "WHAT", "NEXT STEP"), rows)
    return 1 if found.findings else 0


@command.command("backup")
@click.argument("file")
@AS_JSON
@click.pass_obj
def backup(server: str | None, file: str, as_json: bool) -> None:
    """Write a backup of the database to FILE on the server's machine."""
    with opened(server) as calls:
        made = calls.admin.backup(str(pathlib.Path(file).absolute()))
    if as_json:
        words.json(made)
    else:
        words.say(f"Wrote {made.path} ({size(made.size_bytes)}). Disks are not in it.")


@command.command("restore")
@click.argument("file")
@click.option("--data", metavar="FOLDER", help="The server's data folder.")
def restore(file: str, data: str | None) -> None:
    """Put a backup back, with the server down. It comes up paused until `admin adopt` has been seen to."""
    given = ["--data", data] if data else []
    become_service(["restore", *given, "--", str(pathlib.Path(file).absolute())])


@command.command("adopt")
@click.argument("backend")
@click.option("--seen", metavar="DIGEST", help="Take over, having seen the differences of this digest.")
@AS_JSON
@click.pass_obj
def adopt(server: str | None, backend: str, seen: str | None, as_json: bool) -> None:
    """Show how a paused backend and the database differ, and with --seen take it over. Every token becomes void."""
    with opened(server) as calls:
        found = calls.admin.adopt(backend, seen) if seen else calls.admin.differences(backend)
        if not seen and not as_json and found.paused and words.on_terminal():
            _differences(backend, [(row.what, row.consequence) for row in found.differences], found.paused)
            click.confirm("Take it over?", abort=True, err=True)
            found = calls.admin.adopt(backend, found.seen)
    if as_json:
        words.json(found)
    elif found.adopted:
        words.say(f"{backend} is ours again. Everyone has to sign in again.")
    else:
        _differences(backend, [(row.what, row.consequence) for row in found.differences], found.paused)
        if found.paused:
            raise Conflict(
                f"{backend} is paused", hint=f"Take it over: gpudev admin adopt {backend} --seen {found.seen}"
            )


def _differences(backend: str, rows: list[tuple[str, str]], paused: str | None) -> None:
    words.say(f"{backend}: {paused or 'not paused'}")
    words.table(("DIFFERENCE", "IF TAKEN OVER"), rows)
