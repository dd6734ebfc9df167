"""Says whether a plugin is sound and what it can do; asks no cloud."""

from __future__ import annotations

from typing import Any

import attrs

from gpudev_sdk import plugins
from gpudev_sdk.errors import BrokenPlugin, MissingAbility
from gpudev_sdk.providers import Gang, Installable, ObjectStorage, Scaling, SharedStorage, Spot

_ABILITIES: tuple[type[Any], ...] = (Gang, Installable, ObjectStorage, SharedStorage, Scaling, Spot)
#: What a module with a fault in it raises when it is imported.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@attrs.frozen(kw_only=True)
class Sound:
    """A plugin that loads, and whose classes are whole."""

    name: str
    distribution: str
    version: str
    offers: tuple[str, ...]
    abilities: tuple[str, ...]
    #: Why its classes cannot be used here, where something that they need is not installed; they can be elsewhere.
    needs: str = ""


def look(name: str) -> Sound:
    """Load a plugin and its classes (laws 6.1 and 6.3); raise PluginError for whatever is wrong with it."""
    plugin = plugins.load(name)
    abilities: list[str] = []
    needs = ""
    for hook, base in [plugins.OFFERS[kind] for kind in plugin.offers]:
        if base is not None:
            offered, lacks = _offered(plugin, hook, base)
            needs = needs or lacks
            abilities += [each.__name__ for each in _ABILITIES if offered is not None and issubclass(offered, each)]
    return Sound(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        offers=plugin.offers,
        abilities=tuple(dict.fromkeys(abilities)),
        needs=needs,
    )


def _offered(plugin: plugins.Plugin, hook: str, base: type[Any]) -> tuple[type[Any] | None, str]:
    """Return the class that a hook returns, or a sentence on what it needs that is not installed here."""
    where = f"the plugin {plugin.name!r} of {plugin.distribution} {plugin.version}"
    try:
        offered = plugin.call(hook)
    except MissingAbility as error:
        return None, f"{error.message}. {error.hint or ''}".strip()
    except _FAULTS as error:
        if isinstance(error, ModuleNotFoundError) and not _is_its_own(plugin, error.name or ""):
            return None, f"its classes need {error.name}, which is not installed here"
        raise BrokenPlugin(
            f"{where} cannot load its {base.__name__}: {type(error).__name__}: {error}",
            hint=f"Tell its authors, or remove it: pip uninstall {plugin.distribution}",
        ) from error
    _refuse_unsound(where, offered, base)
    return offered, ""


def _is_its_own(plugin: plugins.Plugin, module: str) -> bool:
    return module.partition(".")[0] == plugins.find(plugin.name).module.partition(".")[0]


def _refuse_unsound(where: str, offered: object, base: type[Any]) -> None:
    """Raise BrokenPlugin for what is no whole class of its kind, with settings."""
    hint = "Its author's tests say more: pytest, with gpudev_sdk.testing.PluginContract."
    if not (isinstance(offered, type) and issubclass(offered, base)):
        raise BrokenPlugin(f"{where} offers {offered!r}, which is no {base.__name__}", hint=hint)
    missing = sorted(getattr(offered, "__abstractmethods__", ()))
    if missing:
        raise BrokenPlugin(f"{where}: {offered.__name__} lacks {', '.join(missing)}", hint=hint)
    settings = getattr(offered, "Settings", None)
    if not (isinstance(settings, type) and attrs.has(settings)):
        raise BrokenPlugin(f"{where}: {offered.__name__} names no attrs class as its Settings", hint=hint)
