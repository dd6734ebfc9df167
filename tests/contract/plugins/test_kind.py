"""The laws of a plugin over the one for kind, installed as a distribution of its own."""

from __future__ import annotations

from gpudev_sdk.testing import PluginContract


class TestPlugin(PluginContract):
    entry_point = "kind"

    def test_it_offers_boxes_disks_and_a_login(self, plugin):
        assert plugin.offers == ("compute", "storage", "identity")
