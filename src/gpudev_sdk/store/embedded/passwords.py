"""The roles' passwords: made here, kept in 0600 passfiles, so that no DSN, argument or log holds one."""

from __future__ import annotations

import pathlib
import secrets

from psycopg.conninfo import make_conninfo

from gpudev_sdk.errors import StoreError
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded.layout import PORT, Layout, is_private, write_private

SUPERUSER = "postgres"
LOGINS = (SUPERUSER, *roles.ROLES)


def check(layout: Layout) -> None:
    """Raise StoreError if a database was made and the passwords it was made with are lost."""
    if layout.marker.exists() and not _file(layout, SUPERUSER).exists():
        raise StoreError(
            f"the passwords of the database in {layout.folder} are lost",
            hint="Put its folder `passwords` back; or put a backup in its place: gpudev admin restore FILE.",
        )


def ensure(layout: Layout) -> None:
    """Make the passwords that are missing."""
    for role in LOGINS:
        if not _file(layout, role).exists():
            write_private(_file(layout, role), f"*:*:*:{role}:{secrets.token_urlsafe(32)}\n")


def read(layout: Layout, role: str) -> str:
    """Return a role's password."""
    return _file(layout, role).read_text(encoding="ascii").strip().rsplit(":", 1)[1]


def _file(layout: Layout, role: str) -> pathlib.Path:
    return layout.passwords / role


def dsn(layout: Layout, role: str, database: str) -> str:
    """Return how a role connects; the password is named by its file. Raises StoreError if there is none."""
    if role not in LOGINS:
        raise StoreError(f"the embedded database has no role {role!r}")
    if not _file(layout, role).exists():
        raise StoreError(f"there is no database in {layout.folder} yet", hint="Start gpudev once: gpudev up.")
    place, passfile = layout.socket_folder(), str(_file(layout, role))
    if (place.exists() or place.is_symlink()) and not is_private(place):
        raise StoreError(f"{place} is another user's", hint="Start gpudev again: gpudev up.")
    return make_conninfo(host=str(place), port=PORT, user=role, dbname=database, passfile=passfile)
