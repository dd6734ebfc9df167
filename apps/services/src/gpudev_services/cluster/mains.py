"""The mains of the separate services: each reads what it is given, builds, and runs until told to end."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping

from gpudev_sdk.errors import InvalidRequest
from gpudev_services import logs
from gpudev_services.cluster.ending import Ending
from gpudev_services.cluster.parts import Given, read
from gpudev_services.cluster.words import CONFIG


def _begin(arguments: argparse.Namespace) -> tuple[Given, Ending]:
    logs.to_stdout()
    os.umask(0o077)
    ending = Ending()
    ending.listen()
    return read(arguments.config, arguments.secrets), ending


@contextlib.contextmanager
def _scratch(arguments: argparse.Namespace) -> Iterator[pathlib.Path]:
    if arguments.scratch is not None:
        yield arguments.scratch.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="gpudev-scratch-") as name:
        yield pathlib.Path(name)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _api(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import api

    given, ending = _begin(arguments)
    where = api.Where(
        listen=arguments.listen,
        origins=arguments.public_origin,
        health=arguments.health,
        local=arguments.local,
        config=arguments.config,
    )
    api.run(given, where, ending)
    return 0


def _gateway(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import gateway

    given, ending = _begin(arguments)
    gateway.run(given, arguments.listen, arguments.health, ending)
    return 0


def processor(arguments: argparse.Namespace) -> int:
    """Run workers; the command line's own main calls this where secrets are files."""
    from gpudev_services.cluster import processor as service

    arguments.config = arguments.config or CONFIG
    given, ending = _begin(arguments)
    with _scratch(arguments) as scratch:
        service.run(given, arguments.health, scratch, ending)
    return 0


def migrate(arguments: argparse.Namespace) -> int:
    """Bring the database up to date; the command line's own main calls this where secrets are files."""
    from gpudev_services.cluster import migrating

    logs.to_terminal()
    given = read(arguments.config, arguments.secrets)
    _say(*migrating.migrate(given, arguments.wait, arguments.restored))
    return 0


def _availability(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import sweeps

    given, _ = _begin(arguments)
    with _scratch(arguments) as scratch:
        trouble = sweeps.availability(given, scratch, arguments.wait)
    _say(*(f"{backend} cannot be seen: {why}" for backend, why in sorted(trouble.items())))
    return 1 if trouble else 0


def _doctor(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import overseeing

    given, _ = _begin(arguments)
    with _scratch(arguments) as scratch:
        found = overseeing.doctor(given, scratch)
    _say(*(found or ["all is well"]))
    return 1 if found else 0


def _adopt(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import overseeing

    given, _ = _begin(arguments)
    with _scratch(arguments) as scratch:
        said, goes_on = overseeing.adopt(given, scratch, arguments.backend, arguments.seen)
    _say(*said)
    return 0 if goes_on else 1


def _expiry(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster import sweeps

    given, _ = _begin(arguments)
    _say(f"{sweeps.expiry(given, arguments.wait)} due")
    return 0


def _first_secrets(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster.account import MOUNTED, SERVER, Account
    from gpudev_services.cluster.first_secrets import Wanted, fresh, fresh_authority, make
    from gpudev_services.cluster.secrets import Secrets

    folder = arguments.account or MOUNTED
    account = Account(namespace=arguments.namespace, server=arguments.server or SERVER, folder=folder)
    password = "" if arguments.given is None else Secrets(arguments.given).text("owner-password")
    wanted = Wanted(database=arguments.database, owner=arguments.owner, password=password)
    if not arguments.secret and not arguments.authority:
        raise InvalidRequest("no Secret is named", hint="Name one: --secret NAME, --authority NAME, or both.")
    if arguments.secret:
        _say(make(account, arguments.secret, fresh(wanted)))
    if arguments.authority:
        _say(make(account, arguments.authority, fresh_authority()))
    return 0


def _admin_user(arguments: argparse.Namespace) -> int:
    from gpudev_services.cluster.people import admin_user

    _say(admin_user(read(arguments.config, arguments.secrets), arguments.name, arguments.key))
    return 0


RUN: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "api": _api,
    "gateway": _gateway,
    "availability": _availability,
    "expiry": _expiry,
    "doctor": _doctor,
    "adopt": _adopt,
    "first-secrets": _first_secrets,
    "admin-user": _admin_user,
}
