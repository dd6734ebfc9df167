"""The laws of a plugin over the other one that comes with the SDK."""

from __future__ import annotations

from gpudev_sdk.testing import PluginContract


class TestSsh(PluginContract):
    entry_point = "ssh"
