"""An install whose boxes are pods of a cluster that a cloud runs, on disks of the cloud."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import attrs

from tests.cluster.clouds import aws, door, gcp, node
from tests.cluster.clouds.attaching import Attaching
from tests.cluster.clouds.aws import Aws
from tests.cluster.clouds.gcp import Gcp
from tests.cluster.installs import CONFIG, ClusterInstall
from tests.cluster.place import Place
from tests.fix_install import prepare

#: Beside what the cloud's own settings say.
SETTINGS = """
node_labels = {{ "kubernetes.io/hostname" = "{place.machine.layout.node}" }}
{more}
"""


@attrs.define
class CloudInstall(ClusterInstall):
    """An install of one person, with a cloud for a backend."""

    cloud: Aws | Gcp | None = None

    @property
    def environment(self):
        """Return what its commands run with; who we are at the cloud is among it."""
        return super().environment | self.cloud.environment


def prepare_on(place: Place, cloud: Aws | Gcp) -> CloudInstall:
    """Make the folders of an install on a cloud that is not up yet."""
    settings, h100 = SETTINGS.format(place=place, more=cloud.settings()), f"labels = {cloud.types()}"
    config = CONFIG.format(backend="cloud", plugin=cloud.name, place=place, settings=settings, h100=h100)
    made = prepare(config, CloudInstall)
    made.place, made.cloud = place, cloud
    return made


@contextlib.contextmanager
def cloud_around(name: str, place: Place, keys: pathlib.Path) -> Iterator[Aws | Gcp]:
    """Put a cloud around the test cluster: its APIs, its door, its driver, and the node's labels."""
    machine = place.machine
    folder = machine.layout.data(f"disks-{name}")
    here = machine.layout.node
    making = aws.made(folder) if name == "aws" else gcp.made(folder, here, keys / "google")
    with making as cloud, door.opened(place, keys / "door", cloud.who) as opened:
        cloud.show(opened)
        attaching = Attaching(api=machine.api, driver=cloud.driver, attach=cloud.attach, detach=cloud.detach)
        with (
            door.allowed(place, f"{place.namespace}-{name}", cloud.subject),
            node.labelled(machine, cloud.labels),
            node.driven(machine, attaching, folder),
        ):
            yield cloud
