"""The owner of the machine that an API runs on, which in a cluster is whoever may run commands in its pod."""

from __future__ import annotations

import pathlib
from typing import NoReturn

import structlog

from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.accounts import ensure_operator
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import Conflict, NotAllowed
from gpudev_services.api.desk import Admin
from gpudev_services.up.folder import DataFolder

NAME = "cluster-admin"
BACK_UP = "Back up the database itself, with pg_dump: docs/operate/backup.md says how."
ADOPT = "Only a processor calls backends: kubectl exec deploy/RELEASE-processor -- gpudev-services adopt BACKEND."

log = structlog.get_logger()


def prepared(root: pathlib.Path, config: pathlib.Path | None) -> DataFolder:
    """Make the folder in which `gpudev` on this machine finds the server (GPUDEV_DATA) and its configuration."""
    folder = DataFolder(root.absolute())
    folder.prepare()
    if config is not None:
        folder.config.unlink(missing_ok=True)
        folder.config.symlink_to(config.absolute())
    return folder


def operator(engine: Engine) -> User | None:
    """Return who comes by the local socket; None, which is logged, where somebody else has that name."""
    try:
        return ensure_operator(engine, NAME)
    except Conflict as error:
        log.error("nobody is an admin at the local socket", reason=error.message, next_step=error.hint)
        return None


def refusing() -> Admin:
    """Return what an API that calls no backend and has no PostgreSQL of its own says to what needs either."""
    return Admin(
        backup=lambda path: _refuse("this server runs no PostgreSQL of its own", BACK_UP),
        differences=lambda name: _refuse("this server calls no backend", ADOPT),
        adopt=lambda name: _refuse("this server calls no backend", ADOPT),
    )


def _refuse(what: str, hint: str) -> NoReturn:
    raise NotAllowed(what, hint=hint)
