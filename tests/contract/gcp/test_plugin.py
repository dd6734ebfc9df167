"""The laws of a plugin over the one for Google Cloud, installed as a distribution of its own."""

from __future__ import annotations

import subprocess
import sys

from gpudev_sdk.testing import PluginContract

_BUILT = """
import pathlib, sys, uuid
from gpudev_gcp.compute import GcpCompute
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk.providers import Context
context = Context(install_id=uuid.uuid4(), name="lab", data_folder=pathlib.Path("none"))
for kind in (GcpCompute, GcpStorage):
    kind(GcpSettings(project="gpu-lab-1"), context)
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("google", "grpc", "requests")))
"""


class TestPlugin(PluginContract):
    entry_point = "gcp"

    def test_it_offers_boxes_disks_and_a_login(self, plugin):
        assert plugin.offers == ("compute", "storage", "identity")

    def test_nothing_of_google_is_imported_before_a_first_call(self):
        done = subprocess.run([sys.executable, "-c", _BUILT], capture_output=True, text=True, check=True, timeout=60)

        assert done.stdout.split() == []
