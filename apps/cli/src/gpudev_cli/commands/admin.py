"""`gpudev admin`: for who runs the server. All but `restore` go by its local socket."""

from __future__ import annotations

import pathlib

import click

from gpudev_cli import when, words
from gpudev_cli.commands.key import read_public_key
from gpudev_cli.services import become_service
from gpudev_cli.session import opened
from gpudev_sdk.client.calls import Calls
from gpudev_sdk.client.refs import part
from gpudev_sdk.client.values import size
from gpudev_sdk.domain.names import check_name
from gpudev_sdk.errors import Conflict, NotFound
from gpudev_sdk.wire.account_views import PeopleView, PersonView
from gpudev_sdk.wire.bodies import IdentityBody

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


LOGIN = click.option("--login", required=True, metavar="LOGIN", help="One of the server's logins.")
SUBJECT = click.option("--subject", required=True, metavar="SUBJECT", help="Who the login proved, as it refused them.")


@click.group("admin")
def command() -> None:
    """People, health and backup of the server on this machine."""


@command.group("users")
def users() -> None:
    """People who may use this server.

    \b
    Examples:
      gpudev admin users add kim --key kim.pub
      gpudev admin users link kim --login corp --subject 1234567890
      gpudev admin users show kim
      gpudev admin users disable kim
    """


@users.command("list")
@AS_JSON
@click.pass_obj
def list_users(server: str | None, as_json: bool) -> None:
    """Everybody."""
    with opened(server) as calls:
        found = _everybody(calls)
    if as_json:
        words.json(PeopleView(items=found))
        return
    rows = [
        (user.name, _standing(user), user.keys, ", ".join(sorted({each.login for each in user.identities})) or None,
         when.moment(user.created_at))
        for user in found
    ]  # fmt: skip
    words.table(("NAME", "IS", "KEYS", "LOGINS", "SINCE"), rows)


def _everybody(calls: Calls) -> list[PersonView]:
    return calls.api.get("/admin/users", PeopleView).items


def _find(calls: Calls, name: str) -> PersonView:
    for user in _everybody(calls):
        if user.name == name:
            return user
    raise NotFound(f"there is no user {name[:40]!r}", hint="`gpudev admin users list` shows everybody.")


def _standing(user: PersonView) -> str:
    return "disabled" if user.disabled else "admin" if user.is_admin else "user"


@users.command("show")
@click.argument("name")
@AS_JSON
@click.pass_obj
def show_user(server: str | None, name: str, as_json: bool) -> None:
    """One person, and as whom the logins know them."""
    with opened(server) as calls:
        user = _find(calls, name)
    if as_json:
        words.json(user)
        return
    words.pairs([
        ("name", user.name), ("is", _standing(user)), ("keys", user.keys), ("since", when.moment(user.created_at))
    ])  # fmt: skip
    if user.identities:
        rows = [
            (each.login, each.subject, each.display or None, when.moment(each.created_at)) for each in user.identities
        ]
        words.table(("LOGIN", "SUBJECT", "SHOWN AS", "SINCE"), rows)


@users.command("link")
@click.argument("name")
@LOGIN
@SUBJECT
@click.pass_obj
def link_user(server: str | None, name: str, login: str, subject: str) -> None:
    """Let whoever a login proves to be SUBJECT in as NAME. A refused login shows the person this line, whole.

    \b
    Example:
      gpudev admin users link kim --login corp --subject 1234567890
    """
    with opened(server) as calls:
        path = f"/admin/users/{part(name, 'user')}/identities"
        calls.api.post(path, PersonView, IdentityBody(login=login, subject=subject))
    words.say(f"{name} is whom {login} proves to be {subject}.")


@users.command("unlink")
@click.argument("name")
@LOGIN
@SUBJECT
@click.pass_obj
def unlink_user(server: str | None, name: str, login: str, subject: str) -> None:
    """Let them in by it no more, and sign NAME out everywhere. To shut a person out at once, disable them."""
    with opened(server) as calls:
        for each in _find(calls, name).identities:
            if (each.login, each.subject) == (login, subject):
                calls.api.delete(f"/admin/users/{part(name, 'user')}/identities/{each.id}")
                break
        else:
            raise NotFound(f"{name} has no such identity", hint=f"gpudev admin users show {name} lists them.")
    words.say(f"{name} is no more whom {login} proves to be {subject}, and is signed out everywhere.")


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
