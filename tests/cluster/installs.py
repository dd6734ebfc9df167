"""An install whose boxes are pods: gpudev runs here, its backend is a cluster."""

from __future__ import annotations

import attrs

from gpudev_sdk.kube import names
from gpudev_sdk.kube.kinds import CLAIM, CONFIG_MAP, POD, SECRET, SNAPSHOT
from tests.cluster.place import Place
from tests.fix_install import Install, prepare

CONFIG = """
gateway = "127.0.0.1:0"
processors = 2
[limits]
grace_seconds = 2
stop_allowance_seconds = 5
max_reservations_per_user = 300
[backends.{backend}]
compute = "{plugin}"
storage = "{plugin}"
[backends.{backend}.{plugin}]
namespace = "{place.namespace}"
image = "{place.images[debian]}"
tools_image = "{place.images[tools]}"
{settings}
[backends.{backend}.{plugin}.types.cpu]
resource = ""
slots_per_node = 6
[backends.{backend}.{plugin}.types.h100]
{h100}
"""
SETTINGS = """
kubeconfig = "{place.kubeconfig}"
storage_class = "{place.storage_class}"
snapshot_class = "{place.snapshot_class}"
node_labels = {labels}
"""


@attrs.define
class ClusterInstall(Install):
    """An install of one person, with a cluster for a backend."""

    place: Place | None = None

    @property
    def install_id(self):
        """Return its id, which all that it makes carries."""
        return self.sql("SELECT id FROM install")[0][0]

    def boxes(self):
        """Return the pods of its boxes."""
        return self.objects(POD)

    def objects(self, *kinds):
        """Return kind and name of what the install has in the cluster, tombstones and its claim on it left out."""
        api = self.place.api()
        return [
            (kind.name, item["metadata"]["name"])
            for kind in kinds or (POD, SECRET, CONFIG_MAP, CLAIM, SNAPSHOT)
            for item in api.list(kind, f"{names.INSTALL}={self.install_id},{names.PART} notin (end,claim)").items
        ]


def prepare_on(place: Place):
    """Make the folders of an install on a cluster that is not up yet."""
    labels = "{" + ", ".join(f'"{key}" = "{value}"' for key, value in place.node_labels.items()) + "}"
    settings = SETTINGS.format(place=place, labels=labels)
    config = CONFIG.format(
        backend="pods", plugin="kube", place=place, settings=settings, h100='resource = "nvidia.com/gpu"'
    )
    made = prepare(config, ClusterInstall)
    made.place = place
    return made
