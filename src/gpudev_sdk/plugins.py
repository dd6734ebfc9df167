"""Finds plugins by entry point, loads them by name, checks them; the only module that touches pluggy's manager.

Naming a provider imports that one distribution and no other. Every error names the distribution, and the pip line where
one is missing.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Any, TypeVar

import attrs
import pluggy

from gpudev_sdk import hookspecs
from gpudev_sdk.errors import BrokenPlugin, DuplicateProvider, MissingAbility, UnknownProvider
from gpudev_sdk.providers import Compute, IdentityProvider, Storage

GROUP = "gpudev"
P = TypeVar("P")
#: What a plugin can offer: the hook of each, and the base of the class that the hook returns, if it returns one.
OFFERS: dict[str, tuple[str, type[Any] | None]] = {
    "compute": ("gpudev_register_compute", Compute),
    "storage": ("gpudev_register_storage", Storage),
    "identity": ("gpudev_register_identity", IdentityProvider),
    "policy": ("gpudev_check_request", None),
    "listener": ("gpudev_reservation_changed", None),
}


@attrs.frozen(kw_only=True)
class Installed:
    """An entry point that is there; nothing of it is imported."""

    name: str
    module: str
    distribution: str
    version: str
    entry_point: importlib.metadata.EntryPoint = attrs.field(repr=False, eq=False)


@attrs.frozen(kw_only=True)
class Plugin:
    """A loaded plugin: its module's hooks, called for it alone so that an error names it."""

    name: str
    distribution: str
    version: str
    hooks: pluggy.PluginManager = attrs.field(repr=False, eq=False)

    @property
    def offers(self) -> tuple[str, ...]:
        """What it offers, by the names of `OFFERS`."""
        return tuple(kind for kind, (hook, _) in OFFERS.items() if self.implements(hook))

    def implements(self, hook: str) -> bool:
        """Say whether the plugin has a hook."""
        return bool(getattr(self.hooks.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call one of its hooks and return what it returned."""
        results = getattr(self.hooks.hook, hook)(**arguments)
        return results[0] if results else None


def installed(found: Iterable[importlib.metadata.EntryPoint] | None = None) -> tuple[Installed, ...]:
    """List what is installed, sorted by name, without importing any of it."""
    points = importlib.metadata.entry_points(group=GROUP) if found is None else found
    plugins = []
    for point in points:
        distribution = point.dist
        plugins.append(
            Installed(
                name=point.name,
                module=point.value,
                distribution="unknown" if distribution is None else distribution.name,
                version="unknown" if distribution is None else distribution.version,
                entry_point=point,
            )
        )
    return tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.distribution)))


def find(name: str, found: Iterable[importlib.metadata.EntryPoint] | None = None) -> Installed:
    """Return the one installed plugin of a name; raise UnknownProvider or DuplicateProvider."""
    everything = installed(found)
    fitting = [plugin for plugin in everything if plugin.name == name]
    if not fitting:
        there = ", ".join(sorted({plugin.name for plugin in everything})) or "none"
        raise UnknownProvider(
            f"no installed plugin is called {name!r} (there are: {there})",
            hint=f"Install it: pip install gpudev-{name}",
        )
    owners = sorted({plugin.distribution for plugin in fitting})
    if len(fitting) > 1:
        raise DuplicateProvider(
            f"the plugin name {name!r} is offered by {' and '.join(owners)}",
            hint=f"Remove one of them: pip uninstall {owners[-1]}",
        )
    return fitting[0]


def load(name: str, found: Iterable[importlib.metadata.EntryPoint] | None = None) -> Plugin:
    """Import and check one plugin; raise BrokenPlugin, naming the distribution, for whatever is wrong with it."""
    plugin = find(name, found)
    where = f"the plugin {name!r} of {plugin.distribution} {plugin.version}"
    try:
        module = plugin.entry_point.load()
    except Exception as error:
        raise BrokenPlugin(
            f"{where} cannot be imported: {type(error).__name__}: {error}",
            hint=f"Repair or remove it: pip install --force-reinstall {plugin.distribution}",
        ) from error
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name)
        _refuse_misspelt(manager, module)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise BrokenPlugin(
            f"{where} is not valid: {error}",
            hint=f"Tell its authors, or remove it: pip uninstall {plugin.distribution}",
        ) from error
    return Plugin(name=name, distribution=plugin.distribution, version=plugin.version, hooks=manager)


def _refuse_misspelt(manager: pluggy.PluginManager, module: object) -> None:
    """Refuse hooks that nobody calls: marked ones without a spec, and unmarked ones that look like ours."""
    manager.check_pending()
    known = {name for name in vars(hookspecs) if name.startswith("gpudev_")}
    ours = {name for name in vars(module) if name.startswith("gpudev_") and callable(getattr(module, name))}
    marked = {hook.name for hook in manager.get_hookcallers(module) or []}
    if ours - known:
        raise ValueError(f"unknown hook {sorted(ours - known)[0]!r}; there are {', '.join(sorted(known))}")
    if ours - marked:
        raise ValueError(f"{sorted(ours - marked)[0]} lacks the @hookimpl mark")


def _provider(plugin: Plugin, kind: str, base: type[P]) -> type[P]:
    hook, _ = OFFERS[kind]
    if not plugin.implements(hook):
        raise MissingAbility(f"the plugin {plugin.name!r} of {plugin.distribution} offers no {base.__name__}")
    offered = plugin.call(hook)
    if not (isinstance(offered, type) and issubclass(offered, base)):
        raise BrokenPlugin(f"the plugin {plugin.name!r} of {plugin.distribution} returned {offered!r} for {hook}")
    return offered


def compute(name: str) -> type[Compute]:
    """Return the compute class of a plugin."""
    return _provider(load(name), "compute", Compute)  # type: ignore[type-abstract]


def storage(name: str) -> type[Storage]:
    """Return the storage class of a plugin."""
    return _provider(load(name), "storage", Storage)  # type: ignore[type-abstract]


def identity(name: str) -> type[IdentityProvider]:
    """Return the identity class of a plugin."""
    return _provider(load(name), "identity", IdentityProvider)  # type: ignore[type-abstract]
