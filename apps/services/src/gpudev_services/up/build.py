"""Builds the engine from the configuration: backends, logins, policies, and who we are."""

from __future__ import annotations

import getpass
import re
import socket
import uuid
from collections.abc import Mapping

import attrs
import structlog

from gpudev_sdk import config, plugins
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.context import Backend, Engine
from gpudev_sdk.errors import GpudevError, PluginError, Refused
from gpudev_sdk.providers import Context
from gpudev_sdk.ssh.ca import HostAuthority
from gpudev_sdk.store import ids, people
from gpudev_sdk.store.pool import Store
from gpudev_services.up.folder import DataFolder

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class PluginPolicy:
    """A named policy plugin; one that fails refuses, since nobody knows what it would have said."""

    plugin: plugins.Plugin

    def check(self, request: Request, user: User) -> None:
        """Return if the plugin lets the request into the line; raise Refused."""
        try:
            self.plugin.call("gpudev_check_request", request=request, user=user)
        except GpudevError as error:
            raise Refused(error.message, hint=error.hint) from error
        except Exception as error:
            log.exception("policy failed", plugin=self.plugin.name, distribution=self.plugin.distribution)
            raise Refused(
                f"the policy {self.plugin.name!r} of this install failed", hint="Ask an admin of this install."
            ) from error


def install_id(store: Store) -> uuid.UUID:
    """Return who this install is; the first start decides."""
    with store.transaction() as conn:
        conn.execute(people.Q["make_install"], {"id": ids.new()})
        found: uuid.UUID = people.install(conn)["id"]
    return found


def backends(configuration: config.Configuration, install: uuid.UUID, folder: DataFolder) -> dict[str, Backend]:
    """Build every configured backend; one that cannot be built keeps the server from starting, and says why."""
    built = {}
    for name, table in configuration.backends.items():
        place = folder.backend(name)
        place.mkdir(mode=0o700, exist_ok=True)
        context = Context(install_id=install, name=name, data_folder=place)
        compute, storage = config.build_backend(table, context)
        built[name] = Backend(name=name, compute=compute, storage=storage)
    return built


def check(configuration: config.Configuration) -> None:
    """Raise for a backend or a named plugin that cannot be loaded, before anything is started."""
    named_plugins(configuration)
    for name, table in configuration.backends.items():
        config.read_backend(table, name)


def logins(
    configuration: config.Configuration, install: uuid.UUID, folder: DataFolder
) -> tuple[dict[str, config.Login], dict[str, str]]:
    """Build every configured login; return those that work and why the others do not."""
    built: dict[str, config.Login] = {}
    broken: dict[str, str] = {}
    for name, table in configuration.logins.items():
        context = Context(install_id=install, name=name, data_folder=folder.root)
        try:
            built[name] = config.build_login(table, context)
        except PluginError as error:
            broken[name] = error.message
            log.error("login cannot be used", login=name, reason=error.message, next_step=error.hint)
    return built, broken


def named_plugins(configuration: config.Configuration) -> tuple[plugins.Plugin, ...]:
    """Load the policies and listeners that the configuration names."""
    return tuple(config.load_policy(name) for name in configuration.settings.plugins)


@attrs.frozen(kw_only=True)
class Parts:
    """What an engine is made of beside its store."""

    install_id: uuid.UUID
    control_plane_id: uuid.UUID
    backends: Mapping[str, Backend]
    host_ca: HostAuthority
    plugins: tuple[plugins.Plugin, ...]


def parts(store: Store, configuration: config.Configuration, folder: DataFolder) -> Parts:
    """Build them for the install that the store is of."""
    install = install_id(store)
    return Parts(
        install_id=install,
        control_plane_id=folder.control_plane_id(),
        backends=backends(configuration, install, folder),
        host_ca=HostAuthority(folder.ssh),
        plugins=named_plugins(configuration),
    )


def engine(store: Store, configuration: config.Configuration, made: Parts) -> Engine:
    """Put an engine together over a store; its rights are the store's role's."""
    policies = tuple(
        PluginPolicy(plugin=plugin) for plugin in made.plugins if plugin.implements("gpudev_check_request")
    )
    return Engine(
        store=store,
        backends=made.backends,
        limits=configuration.settings.limits.limits(),
        install_id=made.install_id,
        control_plane_id=made.control_plane_id,
        host_ca=made.host_ca,
        policies=policies,
    )


def operator_name() -> str:
    """Return the name of whoever started gpudev, in the grammar of our names."""
    plain = re.sub(r"[^a-z0-9-]+", "-", getpass.getuser().lower()).strip("-")[:40].strip("-")
    return plain or "operator"


def host_name() -> str:
    """Return this machine's name."""
    return socket.gethostname()
