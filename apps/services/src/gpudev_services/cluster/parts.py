"""Builds the engines of separate services: with providers for those that act, and without for those that only answer."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
import uuid
from collections.abc import Iterator
from typing import cast

import attrs

from gpudev_sdk import config
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import ConfigError, StoreError
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.store import people
from gpudev_sdk.store.pool import Store
from gpudev_services.cluster import known
from gpudev_services.cluster.readiness import MIGRATE
from gpudev_services.cluster.secrets import HOST_CA, Secrets, private_text
from gpudev_services.up import build
from gpudev_services.up.folder import DataFolder, write_private


@attrs.frozen(kw_only=True)
class Given:
    """What every service is started with."""

    configuration: config.Configuration
    secrets: Secrets

    def dsn(self, name: str) -> str:
        """Return how a role connects."""
        return self.secrets.dsn(name, self.configuration.settings.dsn)


def read(path: pathlib.Path, folder: pathlib.Path) -> Given:
    """Read the configuration; raise ConfigError for a file or a folder that is not there."""
    if not path.is_file():
        raise ConfigError(f"there is no configuration {path}", hint="Name the one of this install: --config FILE.")
    if not folder.is_dir():
        raise ConfigError(f"there is no folder of secrets {folder}", hint="Name where they are mounted: --secrets DIR.")
    return Given(configuration=config.read(path), secrets=Secrets(folder))


def install_id(store: Store) -> uuid.UUID:
    """Return who this install is, as the first migration wrote it down."""
    with store.transaction() as conn:
        row = conn.execute(people.Q["install"]).fetchone()
    if row is None:
        raise StoreError("the database does not know which install it is of", hint=MIGRATE)
    found: uuid.UUID = row["id"]
    return found


@contextlib.contextmanager
def opened(dsn: str, max_size: int) -> Iterator[Store]:
    """Open a store, and close it after the block."""
    store = Store(dsn, max_size=max_size)
    store.open()
    try:
        yield store
    finally:
        store.close()


def acting(given: Given, store: Store, scratch: pathlib.Path) -> tuple[Engine, build.Parts]:
    """Return an engine that acts on its backends; what their providers keep on this machine lies in `scratch`."""
    folder = DataFolder(scratch)
    for path in (folder.root, folder.root / "backends", folder.ssh):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    install = install_id(store)
    made = build.Parts(
        install_id=install,
        control_plane_id=given.secrets.control_plane_id(),
        backends=build.backends(given.configuration, install, folder),
        host_ca=host_authority(given.secrets),
        plugins=build.named_plugins(given.configuration),
    )
    return build.engine(store, given.configuration, made), made


def answering(given: Given, store: Store) -> Engine:
    """Return an engine that answers from the tables: its backends are names, and it signs nothing."""
    made = build.Parts(
        install_id=install_id(store),
        control_plane_id=uuid.UUID(int=0),
        backends=known.backends(given.configuration, store),
        host_ca=cast("HostAuthority", known.Elsewhere()),
        plugins=build.named_plugins(given.configuration),
    )
    return build.engine(store, given.configuration, made)


def host_authority(secrets: Secrets) -> HostAuthority:
    """Return the host CA with the mounted key, whoever may read the file that it comes from."""
    with tempfile.TemporaryDirectory(prefix="gpudev-ca-") as name:
        folder = pathlib.Path(name)
        write_private(folder / "host_ca", private_text(secrets.key(HOST_CA)))
        return HostAuthority(folder)
