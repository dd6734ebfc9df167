"""A scratch control plane for the benchmarks of the engine: an embedded PostgreSQL as it ships, and boxes that are files."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.inventory import Inventory
from gpudev_sdk.store import roles
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.pool import Store
from tests.load.crew import build_engine
from tests.load.folder_backend import Place
from tests.load.storm import Storm


class Scratch:
    """What one figure is measured on."""

    def __init__(self, root: pathlib.Path, nodes: int) -> None:
        self.embedded = Embedded(root / "postgres")
        self.embedded.start()
        self.embedded.migrate()
        self.dsn = self.embedded.dsn(roles.ENGINE)
        self.store = Store(self.dsn, max_size=24)
        self.store.open()
        self.place = Place(root / "world", nodes)
        self.place.folder.mkdir()
        self.place.prepare()
        self.engine = build_engine(self.store, self.place)
        Claims(self.engine).start()
        Inventory(self.engine).take()

    def storm(self) -> Storm:
        """Return somebody who submits and ends."""
        return Storm(self.engine, self.place)

    def close(self) -> None:
        """End it."""
        self.store.close()
        self.embedded.stop()


@contextlib.contextmanager
def scratch(nodes: int):
    """Have a control plane over `nodes` nodes of 8 GPUs, gone afterwards."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="gpudev-b-", dir="/tmp"))
    try:
        made = Scratch(root, nodes)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(root)


def percentile(took: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]
