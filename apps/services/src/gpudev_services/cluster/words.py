"""The words of the separate services on the command line."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

CONFIG = pathlib.Path("/etc/gpudev/config.toml")
SECRETS = pathlib.Path("/var/run/gpudev/secrets")


def add_words(commands: Commands) -> None:
    """Add the commands that only separate services have."""
    _answering(commands)
    _once(commands)


def _answering(commands: Commands) -> None:
    api = _service(commands, "api", "answer people over HTTP")
    api.add_argument("--listen", default="0.0.0.0:7070", metavar="HOST:PORT")
    api.add_argument(
        "--public-origin", action="append", default=[], metavar="URL", help="where people reach it; may be given again"
    )
    api.add_argument(
        "--local", type=pathlib.Path, metavar="DIR", help="answer the machine's owner, too, by a socket in this folder"
    )
    add_health(api)
    gateway = _service(commands, "gateway", "let people in by SSH")
    gateway.add_argument("--listen", default="0.0.0.0:7022", metavar="HOST:PORT")
    add_health(gateway)


def _once(commands: Commands) -> None:
    availability = _service(commands, "availability", "look at all backends once")
    add_scratch(availability)
    expiry = _service(commands, "expiry", "count what was served and wake what is due, once")
    for sweep in (availability, expiry):
        _add_wait(sweep)
    _overseeing(commands)
    person = _service(commands, "admin-user", "make the first admin")
    person.add_argument("name", metavar="NAME")
    person.add_argument("--key", type=pathlib.Path, metavar="FILE", help="their public key")
    _first_secrets(commands)


def _first_secrets(commands: Commands) -> None:
    first = commands.add_parser("first-secrets", help="make the Secrets of a new install, in a pod")
    first.add_argument("--namespace", required=True, metavar="NS")
    first.add_argument("--secret", default="", metavar="NAME", help="of keys, identity and passwords")
    first.add_argument(
        "--authority", default="", metavar="NAME", help="of a certificate authority of its own, for the API's TLS"
    )
    first.add_argument(
        "--database", default="", metavar="HOST[:PORT]/NAME", help="also write down the ways to this database"
    )
    first.add_argument("--owner", default="gpudev_owner", metavar="ROLE", help="who owns the database")
    first.add_argument(
        "--given", type=pathlib.Path, metavar="DIR", help="a folder with an owner-password that somebody else chose"
    )
    first.add_argument("--server", default="", metavar="URL", help="the cluster's API (default: the pod's own cluster)")
    first.add_argument(
        "--account", type=pathlib.Path, metavar="DIR", help="the service account (default: the pod's own)"
    )


def _overseeing(commands: Commands) -> None:
    add_scratch(_service(commands, "doctor", "look for what is not as it should be; exit 1 if there is anything"))
    adopt = _service(commands, "adopt", "show how a paused backend and the database differ, and take it over")
    adopt.add_argument("backend", metavar="BACKEND")
    adopt.add_argument("--seen", metavar="DIGEST", help="take it over, having seen the differences of this digest")
    add_scratch(adopt)


def _service(commands: Commands, name: str, about: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=about, description=about)
    made.add_argument("--config", type=pathlib.Path, default=CONFIG, metavar="FILE")
    made.add_argument("--secrets", type=pathlib.Path, default=SECRETS, metavar="DIR")
    return made


def add_processor(parser: argparse.ArgumentParser) -> None:
    """Add what a processor takes; with `--secrets` it needs no folder of an install."""
    parser.add_argument("--config", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--secrets", type=pathlib.Path, metavar="DIR", help="a service of its own, with these secrets")
    add_health(parser)
    add_scratch(parser)


def add_migrate(parser: argparse.ArgumentParser) -> None:
    """Add what a migration takes: a connection string alone, or all that services are given."""
    parser.add_argument("--config", type=pathlib.Path, default=CONFIG, metavar="FILE")
    parser.add_argument("--secrets", type=pathlib.Path, default=SECRETS, metavar="DIR")
    _add_wait(parser)
    parser.add_argument(
        "--restored", default="", metavar="WORD", help="the database was put back from a backup; a new word each time"
    )
    parser.add_argument(
        "--dsn-file", type=pathlib.Path, help="only this: the owner's connection string; makes no roles"
    )


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="for a database that is not there yet"
    )


def add_health(parser: argparse.ArgumentParser) -> None:
    """Add where the probes are answered."""
    parser.add_argument(
        "--health", metavar="HOST:PORT", help="answer /healthz and /readyz there, and /metrics if there are any"
    )


def add_scratch(parser: argparse.ArgumentParser) -> None:
    """Add where providers keep what they keep on the machine."""
    parser.add_argument(
        "--scratch", type=pathlib.Path, metavar="DIR", help="for what providers keep (default: one that ends with it)"
    )
