"""The laws of a plugin as a distribution."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import attrs
import pytest

from gpudev_sdk import plugins

_LOAD = """
import sys
from gpudev_sdk import plugins
before = set(sys.modules)
point = plugins.find(sys.argv[1])
plugins.load(sys.argv[1])
own = {"gpudev_sdk", point.module.partition(".")[0]} | set(sys.stdlib_module_names)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - own))
"""


class PluginContract:
    """Name the entry point."""

    entry_point: ClassVar[str]

    @pytest.fixture
    def plugin(self) -> plugins.Plugin:
        """Return the plugin, loaded as a server loads it."""
        return plugins.load(self.entry_point)

    def test_it_loads_and_names_its_distribution(self, plugin: plugins.Plugin) -> None:
        """Law 6.1."""
        assert plugin.name == self.entry_point
        assert plugin.distribution != "unknown"

    def test_it_offers_something(self, plugin: plugins.Plugin) -> None:
        """Law 6.1."""
        assert plugin.offers

    def test_loading_it_imports_no_vendors_library(self) -> None:
        """Law 6.2: what only a provider needs is imported when a backend names it."""
        done = subprocess.run(
            [sys.executable, "-c", _LOAD, self.entry_point], capture_output=True, text=True, check=True, timeout=60
        )

        assert done.stdout.split() == []

    def test_every_provider_is_a_class_of_its_kind_with_settings(self, plugin: plugins.Plugin) -> None:
        """Law 6.3."""
        for hook, base in [plugins.OFFERS[kind] for kind in plugin.offers]:
            if base is not None:
                offered = plugin.call(hook)
                assert issubclass(offered, base)
                assert not offered.__abstractmethods__
                assert attrs.has(offered.Settings)
